"""What a model is fine-tuned for: kinds of tasks, their data, predictions and scores. Framework-free."""
