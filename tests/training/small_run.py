"""A run small enough for tests: real networks, real files, a second of work."""

from electra.training.settings import preset

MODEL = dict(hidden_size=32, embedding_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)


def small_settings(**changes):
    values = dict(
        model=MODEL, start="original", generator_width=0.5, max_length=32,
        batch_size=8, steps=40, warmup_steps=4, log_every=5, eval_every=20, eval_rows=16,
        checkpoint_every=5, keep_checkpoints=2, threads=1, precision="float32",
    )  # fmt: skip
    return preset("tiny", **(values | changes))
