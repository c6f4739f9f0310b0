"""Wrong cells: how they are noticed and what they should have been, learned from the table itself."""
