"""kveil: k-anonymity and differential privacy for bank tables, on Spark and Delta Lake."""

__version__ = "0.1.0"
