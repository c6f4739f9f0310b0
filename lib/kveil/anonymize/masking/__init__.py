"""Masks of a release: made in the pass that writes staging, measured there, moved to a new key, undone where that is allowed."""
