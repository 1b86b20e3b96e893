"""Studies: several variants of pretraining, seeds and budgets, held against each other by one command."""
