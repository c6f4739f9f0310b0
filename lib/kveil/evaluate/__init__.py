"""Stage 5: how well the models do on held-out people, and what the released table itself gives up and keeps."""
