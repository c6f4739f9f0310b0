"""The commands beside the stages, by whom they serve; kveil.cli puts them under one name."""
