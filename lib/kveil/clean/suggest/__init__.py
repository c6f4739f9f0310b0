"""Looks at sources and writes down what would make them clean, for a person to accept."""
