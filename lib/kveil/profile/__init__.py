"""What a column holds: semantic types, patterns, summaries, dependencies; a room that several stages and doors share."""
