"""Trained models as plain numbers: what is learned in Spark and served without it."""
