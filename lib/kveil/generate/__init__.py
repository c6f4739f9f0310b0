"""A made-up bank of any size: `kveil generate bank`. Nobody in it exists, and every error in it is known."""
