"""From files of text to batches of token ids: read, prepare, build examples, batch, load. Framework-free."""
