"""Stage 7: what was asked, done and measured, written for people to read."""
