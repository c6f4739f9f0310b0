"""Stage 2, clean."""
