"""The encoder in our own C answers as the plain model does: on every head, however long its rows and however they come."""

import json
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from answering import SIZES, batch_of, differences, plain, weights_of
from every_head import model_of

import electra.torch
from electra.config import ElectraConfig
from electra.errors import InputError, UsageError
from electra.heads import HEADS, ORIGINAL_HEADS
from electra.inference import compiled, sharing
from electra.inference.compiled_model import CompiledModel, why_not

COMPILED = [
    row
    for row in (*HEADS, *ORIGINAL_HEADS)
    if row.class_name not in ("ElectraForCausalLM", "ElectraOriginalForQuestionAnswering")
]
# Of the spread of the answers. bfloat16 keeps 8 bits of weights and activations, int8 about 7 of the largest of each.
TOLERANCES = {"float32": 1e-5, "bfloat16": 0.05, "int8": 0.15}
TILES = Path(__file__).parents[1] / "native" / "tiles.h"


def tuned(head, **changes):
    """A model whose answers depend on all of it: weights ten times as wide as first ones, and biases."""
    model = model_of(head, initializer_range=0.15, **(SIZES | changes)) if head in HEADS else None
    if model is None:
        config = ElectraConfig(
            vocab_size=99, num_hidden_layers=2, max_position_embeddings=320, initializer_range=0.15, **SIZES
        )
        torch.manual_seed(0)
        model = getattr(electra.torch, head.class_name)(config).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.1, generator=generator)
    return model


def compiled_of(head, model, kind, threads=1):
    return CompiledModel(head.class_name, model.config, weights_of(model), kind, threads)


@pytest.mark.parametrize("kind", compiled.kinds())
@pytest.mark.parametrize("head", COMPILED, ids=lambda head: head.class_name)
def test_every_head_answers_as_its_model(head, kind):
    model, inputs = tuned(head), batch_of(head)
    found = differences(compiled_of(head, model, kind).predict(inputs), plain(model, inputs), inputs)
    assert max(found.values()) < TOLERANCES[kind], found
    assert kind == "float32" or min(found.values()) > 1e-4, "the kind makes no difference"


def test_this_machine_compiles_it():
    assert "float32" in compiled.kinds()


@pytest.mark.parametrize("kind", compiled.kinds())
def test_a_row_is_answered_alone_as_among_others_by_one_thread_or_several(kind):
    head = COMPILED[1]
    model, inputs = tuned(head), batch_of(head, lengths=(200, 3, 90, 61, 170, 13, 200))
    one, several = (compiled_of(head, model, kind, threads) for threads in (1, 3))
    together = one.predict(inputs)["logits"]
    np.testing.assert_array_equal(several.predict(inputs)["logits"], together)
    for row, length in enumerate(inputs["attention_mask"].sum(1)):
        alone = one.predict({name: array[row : row + 1, :length] for name, array in inputs.items()})["logits"]
        np.testing.assert_array_equal(alone[0], together[row, :length])


def go(model, *, together):
    """Let all threads go through a chunk together where they may, or none."""
    for way, seconds in model.encoder.pace.seconds.items():
        seconds.extend([0.0 if way is together else 1.0] * 8)
    model.encoder.pace.calls = 0


@pytest.mark.parametrize("kind", compiled.kinds())
@pytest.mark.parametrize("head", [COMPILED[1], COMPILED[3]], ids=["each token", "[CLS] alone"])
def test_a_team_of_threads_answers_as_one_does(head, kind):
    model = tuned(head)
    one, teams = compiled_of(head, model, kind), [compiled_of(head, model, kind, threads) for threads in (2, 3, 6)]
    for lengths in ((150,), (31,), (3, 97), (200, 13, 9), (300, 300, 280)):
        inputs = batch_of(head, lengths=lengths)
        expected = one.predict(inputs)["logits"]
        for several in teams:
            shares = sharing.shared_out(np.array(lengths, np.int32), several.encoder.threads)
            assert sorted(np.concatenate(shares)) == list(range(len(lengths)))
            assert sharing.team_of(np.array(lengths), shares, several.encoder.threads) > 1 or several is not teams[0]
            for together in (True, False):
                go(several, together=together)
                np.testing.assert_array_equal(several.predict(inputs)["logits"], expected)


def test_callers_that_come_at_once_are_all_answered():
    head = COMPILED[1]
    model = tuned(head)
    one, team = compiled_of(head, model, "float32"), compiled_of(head, model, "float32", 3)
    batches = [batch_of(head, lengths=(length,), seed=length) for length in range(20, 60)]
    expected = [one.predict(inputs)["logits"] for inputs in batches]

    def ask(inputs):
        go(team, together=True)
        return team.predict(inputs)["logits"]

    with ThreadPoolExecutor(8) as callers:
        for found, wanted in zip(callers.map(ask, batches), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_a_team_is_left_alone_while_it_is_slower_and_tried_again():
    pace = sharing.Pace()

    def calls(count, seconds):
        """How many of so many calls are together, where each way takes so long."""
        ways = [pace.is_faster_together() or pace.note(False, seconds[False]) for _ in range(count)]
        for way in ways:
            if way:
                pace.note(True, seconds[True])
        return sum(way is True for way in ways)

    for _ in range(16):  # the first calls try both
        calls(1, {True: 3.0, False: 1.0})
    assert len(pace.seconds[True]) == len(pace.seconds[False]) == 8
    assert calls(16 * 4, {True: 3.0, False: 1.0}) == 4
    for _ in range(16 * 8):
        calls(1, {True: 0.5, False: 1.0})
    assert calls(16 * 4, {True: 0.5, False: 1.0}) == 60


def test_masks_and_token_types_may_be_left_out_and_whole_numbers_of_any_size():
    head = COMPILED[1]
    model, ids = tuned(head), batch_of(head, lengths=(7, 7))["input_ids"]
    answer = compiled_of(head, model, "float32").predict({"input_ids": ids.astype(np.int64)})["logits"]
    np.testing.assert_allclose(answer, plain(model, {"input_ids": ids})["logits"], atol=1e-5)


def test_heads_of_other_widths_and_embeddings_as_wide_as_the_encoder_answer_too():
    head = COMPILED[1]
    model = tuned(head, embedding_size=96, hidden_size=96, num_attention_heads=3, intermediate_size=80)
    inputs = batch_of(head)
    found = differences(compiled_of(head, model, "float32").predict(inputs), plain(model, inputs), inputs)
    assert max(found.values()) < 1e-5


@pytest.mark.fault(18)
@pytest.mark.parametrize(
    ("name", "row", "column", "value", "words"),
    [
        ("input_ids", 1, 2, 99, "input_ids are 1 to 99; the model has 0 to 98"),
        ("input_ids", 1, 2, -1, "input_ids are -1 to"),
        ("token_type_ids", 0, 0, 2, "token_type_ids are 0 to 2; the model has 0 to 1"),
        ("attention_mask", 1, 0, 0, "row 1 begins with padding"),
    ],
)
def test_what_the_model_cannot_take_is_refused(name, row, column, value, words):
    head = COMPILED[1]
    inputs = batch_of(head, lengths=(9, 9))
    inputs[name][row, column] = value
    with pytest.raises(InputError, match=words):
        compiled_of(head, tuned(head), "float32").predict(inputs)


@pytest.mark.fault(19)
def test_rows_longer_than_the_model_reads_are_refused():
    head = COMPILED[1]
    with pytest.raises(InputError, match=r"positions are 0 to 320; the model has 0 to 319"):
        compiled_of(head, tuned(head), "float32").predict(batch_of(head, lengths=(321,)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hidden_act": "relu"}, "hidden_act is relu"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is relative_key"),
        ({"pruned_heads": {0: [1]}}, "attention heads were pruned"),
        ({"intermediate_size": 37}, "a width is no multiple of 16: 16, 37, 64"),
        ({"is_decoder": True}, "the model is a decoder"),
    ],
)
def test_models_it_does_not_compute_are_named(changes, words):
    config = ElectraConfig(**(SIZES | changes))
    assert why_not("ElectraForPreTraining", config) == words
    with pytest.raises(UsageError, match=words):
        compiled.CompiledEncoder(config, {}, "float32")


def test_heads_it_does_not_compute_are_named():
    config = ElectraConfig(**SIZES, summary_type="mean")
    assert "has a head of its own" in str(why_not("ElectraOriginalForQuestionAnswering", config))
    assert str(why_not("ElectraForMultipleChoice", config)).startswith("summary_type, summary_activation and")


# -- other processors: the same code, compiled as it would be there ------------------------------------------------------

OTHERS = {
    "AMX": f"-include {TILES}",
    **({"AVX2": "-mno-avx512f", "SSE": "-mno-avx"} if platform.machine() == "x86_64" else {}),
}
PROGRAM = """
import ctypes, json, sys
import numpy as np
from electra import native
from electra.inference import compiled, sharing
rng = np.random.default_rng(0)
weight, x = (rng.standard_normal(shape, np.float32) for shape in ((176, 128), (45, 128)))
found = {kind: compiled.Linear(weight, weight[:, 0], kind)(x, gelu=True).tolist() for kind in compiled.kinds()}
tiles = ctypes.c_long.in_dll(native.library("encoder"), "tile_products").value if sys.argv[1] == "AMX" else 0
print(json.dumps({"found": found, "tiles": tiles}))
"""


@pytest.mark.parametrize("name", OTHERS)
def test_other_processors_give_the_same_answers(name, tmp_path):
    environment = os.environ | {"CC": f"cc {OTHERS[name]}", "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, name], env=environment, capture_output=True, text=True, check=True
    )
    held = json.loads(done.stdout)
    assert set(held["found"]) == (set(compiled.kinds()) if name == "AMX" else {"float32"})
    assert (held["tiles"] > 0) == (len(held["found"]) > 1)
    rng = np.random.default_rng(0)
    weight, x = (rng.standard_normal(shape, np.float32) for shape in ((176, 128), (45, 128)))
    for kind, found in held["found"].items():
        here = compiled.Linear(weight, weight[:, 0], kind)(x, gelu=True)
        np.testing.assert_allclose(np.array(found), here, atol=1e-4, rtol=0)
