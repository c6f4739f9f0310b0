"""Stage 4: models trained on the release, and baselines on raw rows to compare them with."""
