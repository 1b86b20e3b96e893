"""What fine-tuning begins with: an encoder from anything that holds one, or the same sizes with first weights."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from electra.config import SIZES, ElectraConfig
from electra.errors import UsageError, WeightsError
from electra.tokenization import load_tokenizer
from electra.tokenization.files import FILES
from electra.training.given import sha256
from electra.training.run import find_model
from electra.weights.files import Arrays, widen
from electra.weights.hub import local_folder
from electra.weights.names import tensors
from electra.weights.sources import Network, Source, open_source

# The networks of a source, the better encoder first.
ORDER = ("discriminator", "encoder", "model", "generator")
NEW = (
    "architectures",
    "torch_dtype",
    "id2label",
    "label2id",
    "num_labels",
    "problem_type",
)  # of config: the task's own


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """An encoder with its tokenizer.

    weights      tensors by Hugging Face's names; empty where the first weights are drawn, by the seed of each run
    what         in words, for people
    fingerprint  of the weights: a run that is continued must begin with the same
    """

    config: ElectraConfig
    weights: Arrays
    tokenizer: Any
    what: str
    fingerprint: str


def open_encoder(model: str, note: Callable[[str], None], *, random_weights: bool = False) -> Encoder:
    """The encoder of a model folder, a run, a Google checkpoint or a name on the hub.

    random_weights  keep the sizes and the tokenizer, and draw the weights anew: what pretraining is worth shows beside it
    note            is told what a person should know, such as that it is a generator's
    Raises WeightsError where there is no encoder, DataError where there is no such place or no tokenizer.
    """
    source = _source(model)
    network = _network(source, model, note)
    config = _config(network)
    tokenizer = _tokenizer(source.folder, model)
    if len(tokenizer) > config.vocab_size:
        raise WeightsError(
            f"{model}: the tokenizer has {len(tokenizer):,} pieces, the model {config.vocab_size:,}; "
            "the vocabulary is another model's"
        )
    if random_weights:
        return Encoder(
            config=config,
            weights={},
            tokenizer=tokenizer,
            what=f"random weights of the sizes of {model}",
            fingerprint="",
        )
    known = tensors(config)
    weights = {name: np.array(widen(array), np.float32) for name, array in network.tensors.items() if name in known}
    return Encoder(
        config=config,
        weights=weights,
        tokenizer=tokenizer,
        what=f"{network.class_name} of {model}",
        fingerprint=sha256(weights),
    )


def new_encoder(size: str, tokenizer: Path) -> Encoder:
    """An encoder of a named size, or of a config.json, whose weights are drawn anew for each run."""
    held = load_tokenizer(tokenizer)
    fixed = {"vocab_size": len(held), "pad_token_id": held.pad_token_id}
    if size in SIZES:
        config = ElectraConfig.of_size(size, **fixed)
    elif size.endswith(".json") or Path(size).is_dir():
        config = ElectraConfig.from_pretrained(size, **fixed)
    else:
        raise UsageError(f"{size} is no size ({', '.join(SIZES)}), no config.json and no model folder")
    return Encoder(config=config, weights={}, tokenizer=held, what=f"random weights, size {size}", fingerprint="")


def _source(model: str) -> Source:
    path = Path(model)
    if (path / "model" / "config.json").is_file():  # of an earlier fine-tuning
        path = path / "model"
    found = (find_model(path, name) for name in ("discriminator", "masked_lm"))
    path = next((folder for folder in found if folder != path), path)
    if not path.exists() and not Path(f"{path}.index").exists():
        path = local_folder(model)
    return open_source(path)


def _network(source: Source, model: str, note: Callable[[str], None]) -> Network:
    name = next(name for name in ORDER if name in source.networks)
    network = source.networks[name]
    if vars(network.config)["is_decoder"]:
        raise WeightsError(f"{model} is a decoder, which reads from left to right; fine-tuning needs an encoder")
    if name == "generator":
        note(
            f"{model} is a generator, ELECTRA's small helper in pretraining: its discriminator is the network to fine-tune, "
            "and nearly always the better one"
        )
    if name == "model":
        note(f"{model} was fine-tuned before ({network.class_name}): its encoder is taken, the head begins anew")
    return network


def _config(network: Network) -> ElectraConfig:
    held = network.config.to_dict()
    return ElectraConfig.from_dict({key: value for key, value in held.items() if key not in NEW})


def _tokenizer(folder: Path, model: str) -> Any:
    if not any((folder / name).is_file() for name in FILES[:2]):
        raise WeightsError(
            f"{model} has no vocabulary beside its weights; put its vocab.txt (or tokenizer.json) into {folder}"
        )
    return load_tokenizer(folder)
