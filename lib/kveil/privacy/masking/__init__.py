"""Masks: what stands in the place of a value that must not be released, as functions of keys and values."""
