"""What a model folder says of itself in its manifest, and whether it is still true."""
