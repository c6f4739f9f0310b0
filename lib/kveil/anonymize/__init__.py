"""Stage 3, anonymize."""
