"""The networks that a run is given to begin with: opened, told apart, held against each other and against the corpus."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from electra.data.corpus import Corpus
from electra.errors import UsageError, WeightsError
from electra.first_weights import NETWORKS
from electra.tokenization.files import FILES
from electra.training.run import find_model
from electra.training.settings import PretrainSettings
from electra.weights.files import Array, Arrays, widen
from electra.weights.refit import old_rows
from electra.weights.shipped import or_shipped
from electra.weights.sources import Network, google_prefix, open_source
from electra.weights.translation import kind_of

EMBEDDINGS = "electra.embeddings."
ROLES = {"ElectraForPreTraining": "discriminator", "ElectraModel": "discriminator", "ElectraForMaskedLM": "generator"}
ALONE = "Give the discriminator alone: a generator that fits it is then built"


@dataclass
class Given:
    """A network of a source: where it was, what it is, its tensors in float32, and the folder of its vocabulary, if any."""

    place: Path
    network: Network
    arrays: Arrays
    vocabulary: Path | None

    @property
    def config(self) -> Any:
        """Its configuration, as the source has it."""
        return self.network.config


def open_given(paths: Sequence[Path], settings: PretrainSettings) -> dict[str, Given]:
    """The networks of all sources by their name in the run, the discriminator first."""
    found: dict[str, Given] = {}
    for path in paths:
        place = _networks_of(or_shipped(path))
        # Shapes tell every size but the heads, and a checkpoint of Google's has nothing else.
        heads = {key: value for key, value in settings.model.items() if key == "num_attention_heads"}
        source = open_source(place, **(heads if google_prefix(place) else {}))
        vocabulary = next((f for f in (source.folder, place) if any((f / name).is_file() for name in FILES[:2])), None)
        for network in source.networks.values():
            name = _role(network, path, settings)
            if name in found:
                places = " and ".join(dict.fromkeys((str(found[name].place), str(path))))
                raise UsageError(f"{places}: two networks for the {name} of the run; name the folder of one")
            found[name] = Given(path, network, _arrays(network), vocabulary)
    given = {name: found[name] for name in NETWORKS if name in found}
    if len(given) == 2:
        _check_shared(given["discriminator"], given["generator"])
    return given


def _networks_of(path: Path) -> Path:
    """Where the networks of a run lie; the path itself where it is no run."""
    for name in ("discriminator", "masked_lm"):
        folder = find_model(path, name)
        if folder != path:
            return folder.parent if name == "discriminator" else folder
    return path


def _role(network: Network, path: Path, settings: PretrainSettings) -> str:
    if network.class_name not in ROLES or vars(network.config)["is_decoder"]:
        raise WeightsError(
            f"{path} holds {network.class_name}, from which pretraining cannot go on; expected a discriminator "
            "(ElectraForPreTraining), a generator (ElectraForMaskedLM) or a bare encoder (ElectraModel)"
        )
    return "masked_lm" if settings.objective == "mlm" else ROLES[network.class_name]


def _arrays(network: Network) -> Arrays:
    """The tensors without the counters that files of older tools hold."""
    return {key: np.array(widen(array), np.float32) for key, array in network.stored.items() if kind_of(key)}


def _check_shared(discriminator: Given, generator: Given) -> None:
    """A run trains one table of embeddings for both networks: two that differ cannot both be continued."""
    ours, theirs = discriminator.config.embedding_size, generator.config.embedding_size
    if ours != theirs:
        raise WeightsError(
            f"embedding_size is {ours} in the discriminator of {discriminator.place} and {theirs} in the generator of "
            f"{generator.place}; networks that share their embeddings must agree. {ALONE}"
        )
    for name in (name for name in discriminator.arrays if name.startswith(EMBEDDINGS)):
        if not np.array_equal(discriminator.arrays[name], generator.arrays.get(name, np.zeros(0))):
            raise WeightsError(
                f"the discriminator of {discriminator.place} and the generator of {generator.place} have different "
                f"embeddings ({name}): they were not trained together, and a run trains one table for both. {ALONE}"
            )


def sha256(arrays: Arrays) -> str:
    """The fingerprint of tensors: their names, shapes and numbers."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].shape}\n".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def rows_of(given: dict[str, Given], corpus: Corpus) -> tuple[Array | None, str]:
    """The row in the sources of each of the corpus's pieces (None: the same rows), and that in words.

    Raises WeightsError where the rows cannot be told.
    """
    owner = next(iter(given.values()))
    size = owner.config.vocab_size
    folder = next((one.vocabulary for one in given.values() if one.vocabulary is not None), None)
    if folder is None:
        if size != corpus.vocab_size:
            raise WeightsError(
                f"{owner.place} has {size:,} pieces and no vocabulary beside it, the corpus {corpus.vocab_size:,}: which row "
                "belongs to which piece cannot be known. Put the vocab.txt of the source beside its weights"
            )
        return None, f"no vocabulary lies beside {owner.place}: its {size:,} rows are taken to be the corpus's pieces"
    from electra.tokenization import ElectraTokenizer

    before, now = (ElectraTokenizer.from_pretrained(place) for place in (folder, corpus.tokenizer_folder))
    pieces, wanted = (tokenizer.convert_ids_to_tokens(range(len(tokenizer))) for tokenizer in (before, now))
    rows = old_rows(pieces, wanted, size)
    if size == len(wanted) and np.array_equal(rows, np.arange(size)):
        is_same = before.fingerprint() == now.fingerprint()
        return (
            None,
            "" if is_same else "the vocabulary is the source's, but the corpus's texts are normalised otherwise",
        )
    kept = int((rows >= 0).sum())
    return rows, (
        f"vocabulary: {kept:,} of the corpus's {len(wanted):,} pieces keep their rows, {len(wanted) - kept:,} are new; "
        f"{size - kept:,} rows of the source are left out"
    )
