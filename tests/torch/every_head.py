"""A tiny model of every head and a batch for it, shared by the tests that walk the table of heads."""

from typing import Any

import torch

import electra
from electra.heads import Head


def model_of(head: Head, **changes: Any) -> Any:
    """Random weights, the same every time, without dropout; relative positions or the like by `changes`."""
    sizes = dict(
        vocab_size=99, embedding_size=16, hidden_size=32, num_hidden_layers=2, intermediate_size=37,
        max_position_embeddings=320, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, summary_last_dropout=0.0,
        is_decoder=head.name == "causal_lm",
    )  # fmt: skip
    torch.manual_seed(0)
    return getattr(electra, head.class_name)(electra.ElectraConfig(**(sizes | changes))).eval()


def inputs_of(head: Head, rows: int = 2, length: int = 9) -> dict[str, torch.Tensor]:
    """Ids of random tokens, the last two of all rows but the first padded."""
    shape = (rows, 3, length) if head.name == "multiple_choice" else (rows, length)
    mask = torch.ones(shape, dtype=torch.int64)
    mask[1:, ..., -2:] = 0
    ids = torch.randint(1, 99, shape, generator=torch.Generator().manual_seed(length))
    return {"input_ids": ids, "attention_mask": mask}


def answer(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """The first tensor of a model's answer: hidden states, or logits."""
    first: torch.Tensor = model(**inputs)[0]
    return first
