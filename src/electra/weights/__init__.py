"""Weights on disk: names, files, whole folders. NumPy and safetensors only; every framework loads through here."""
