"""Training loops that know no framework: they are handed a Backend."""
