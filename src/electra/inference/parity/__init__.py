"""A model and what was exported from it, side by side: rows, measures, and both in words."""
