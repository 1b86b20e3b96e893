"""What happens to a fine-tuning when the machine fails it: another process, little memory, a disk without room."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_tuning import data_of, encoder_of, settings_of

from electra.disk import space
from electra.disk.lock import hold
from electra.errors import DiskFullError, TryAgainError
from electra.training.finetune import finetune

HERE = Path(__file__).parent


@pytest.mark.fault(42)
def test_a_fine_tuning_that_another_process_is_at_work_on_is_left_alone(tokenizer, tmp_path):
    with hold(tmp_path / "run"), pytest.raises(TryAgainError, match=rf"run is in use by process {os.getpid()}"):
        finetune(data_of(), encoder_of(tokenizer), settings_of(), tmp_path / "run", panel=False, report=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.fault(35)
def test_a_batch_that_the_memory_does_not_hold_ends_a_fine_tuning_with_what_to_lower(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    done = subprocess.run(
        [sys.executable, HERE / "little_memory_tuning.py", tmp_path / "tokenizer", tmp_path / "run"],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 75, done.stderr
    assert "step 1: the memory does not hold 3000 rows of 48 tokens" in done.stdout
    assert "--batch-size" in done.stdout


@pytest.mark.fault(2)
def test_a_fine_tuning_whose_models_will_have_no_room_is_not_begun(tokenizer, tmp_path):
    from dataclasses import replace

    free = space.free_bytes(tmp_path)
    weights = {"electra.embeddings.word_embeddings.weight": np.broadcast_to(np.float32(0), (free // 12, 1))}
    encoder = replace(encoder_of(tokenizer), weights=weights)
    with pytest.raises(DiskFullError, match=r"bytes more for 1 checkpoint, and [\d,]+ bytes are free.*--seeds"):
        finetune(data_of(), encoder, settings_of(seeds=3), tmp_path / "run", panel=False, report=False)
    assert not list((tmp_path / "run").glob("seed-*"))
