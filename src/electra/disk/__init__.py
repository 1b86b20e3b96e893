"""What holds on any disk: one process at a time in a folder, names exchanged in one step, files replaced together."""
