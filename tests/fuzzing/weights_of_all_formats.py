"""One small model in every format that holds weights."""

import shutil

import torch

import electra
from electra.config import ElectraConfig
from electra.weights.convert import convert
from electra.weights.sources import open_source


def write_formats(work, sizes, folder, kind):
    """Write a model in the format `kind` into `folder`."""
    shutil.rmtree(work, ignore_errors=True)
    model = electra.ElectraForPreTraining(ElectraConfig(**sizes))
    model.save_pretrained(work, max_shard_size=4000 if kind == "shards" else "5GB")
    target = {"h5": "tf", "msgpack": "flax", "google": "google"}.get(kind)
    if target:
        convert(open_source(work), work.with_name("converted"), target)
        shutil.rmtree(work)
        work.with_name("converted").rename(work)
    if kind == "pickle":
        (work / "model.safetensors").unlink()
        torch.save(model.state_dict(), work / "pytorch_model.bin")
    shutil.copytree(work, folder, dirs_exist_ok=True)
