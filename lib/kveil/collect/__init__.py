"""Stage 1, collect."""
