"""`kveil classify`: from sources to a draft policy, with the evidence for each choice."""
