"""Stage 6: a gate that decides by what was measured, the registered champion, and a batch of scores."""
