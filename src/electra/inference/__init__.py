"""Using a trained model: texts in, answers out."""
