"""Model folders: config.json beside model.safetensors, or beside shards and their index, or an older format.

Unusual here: a model folder may hold files of the user's, so it is not replaced as a whole; its files are replaced together
(electra.disk.replace), and a saving that was cut short is undone or finished. A folder that is ours alone, such as the
checkpoint of a run, is written inside write_folder_atomically.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from electra.config import ElectraConfig
from electra.disk.replace import replace_together, settle
from electra.disk.space import write_error
from electra.errors import UsageError, WeightsError
from electra.weights.files import INDEX, PICKLE, WEIGHTS, Array, Arrays, read_places, read_tensors, write_tensors
from electra.weights.old_formats import H5, MSGPACK, read_h5, read_msgpack, write_h5, write_msgpack
from electra.weights.pickles import PICKLE_INDEX, read_pickle, refuse_pickle
from electra.weights.recorded import check_recorded, forget_replaced

UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
METADATA = {"format": "pt"}  # other tools refuse a file without it
FORMATS = ("safetensors", "h5", "msgpack")  # PyTorch's and everybody's, TensorFlow's, Flax's
SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
PICKLES = (PICKLE, PICKLE_INDEX)
READERS = {  # the first that is there is read
    WEIGHTS: read_tensors,
    INDEX: lambda index: read_tensors(index.parent),
    H5: read_h5,
    MSGPACK: read_msgpack,
    PICKLE: read_pickle,
    PICKLE_INDEX: read_pickle,
}
NETWORKS = {"discriminator": "ElectraForPreTraining", "generator": "ElectraForMaskedLM"}  # the folders of a pair
CHECKPOINTS = ("step-*", "checkpoints/step-*")  # of a run


def read_weights(folder: Path, allow_pickle_weights: bool = False, check_manifest: bool = True) -> Arrays:
    """The tensors of a model folder under our names: safetensors, a file of the TensorFlow or Flax classes, or a pickle.

    check_manifest    False where what is read was held against its manifest before, or is read whatever it is
    Raises WeightsError where there is none of these, the one there is is damaged or not what its manifest.json says, or it is
    a pickle and nobody asked.
    """
    names = weight_files(folder)
    if not names:
        refuse_pair(folder)
        return read_tensors(folder)  # says what the folder holds instead
    if names[0] in PICKLES and not allow_pickle_weights:
        raise refuse_pickle(folder / names[0])
    if check_manifest:
        check_recorded(folder, _parts(folder / names[0]))
    return READERS[names[0]](folder / names[0])


def _parts(path: Path) -> Iterator[str]:
    """The names of the files that are read: one, or an index and its shards. An index is opened after it was asked for."""
    yield path.name
    if path.name in (INDEX, PICKLE_INDEX):
        yield from sorted(set(read_places(path).values()))


def weight_files(folder: Path) -> list[str]:
    """The files of weights in a folder, each of them the whole model; the first is the one that is read."""
    settle(folder)
    return [name for name in READERS if (folder / name).is_file()]


def pair_in(folder: Path) -> dict[str, Path]:
    """The networks of a pair: "discriminator" and "generator" -> folder."""
    return {name: folder / name for name in NETWORKS if (folder / name).is_dir()}


def checkpoints_of(folder: Path) -> list[Path]:
    """The checkpoints of a run that is not finished, newest first, whole or not."""
    return sorted((path for glob in CHECKPOINTS for path in folder.glob(glob) if pair_in(path)), reverse=True)


def refuse_pair(folder: Path) -> None:
    """Raise WeightsError, with the folders to load, where a folder is a pair of networks or a run and not one model."""
    checkpoint = next(iter(checkpoints_of(folder)), folder)
    networks = pair_in(folder) or pair_in(checkpoint)
    if networks:
        named = " or ".join(f"{path} ({NETWORKS[name]}, the {name})" for name, path in networks.items())
        raise WeightsError(
            f"{folder} is no model folder, but has the networks of a pretraining in it: load {named}. The discriminator is "
            "the one to fine-tune; the generator predicts masked tokens"
        )


def save_model(
    folder: Path, config: ElectraConfig, tensors: Mapping[str, Array], max_shard_size: int | str, formats: Sequence[str]
) -> None:
    """Write a model folder; WriteError where the disk refuses, with the old files intact.

    A manifest.json of ours forgets what it says of the old files.
    formats    of the weights, one or more of FORMATS; weights in other formats that were in the folder are removed
    """
    limit = parse_size(max_shard_size)
    if not formats or not set(formats) <= set(FORMATS):
        raise UsageError(f"formats are {list(formats)!r}; expected one or more of {', '.join(FORMATS)}")
    try:
        with replace_together(folder, is_weights) as stage:
            if "safetensors" in formats:
                write_shards(stage, tensors, limit)
            if "h5" in formats:
                write_h5(stage / H5, tensors, keras_name(config))
            if "msgpack" in formats:
                write_msgpack(stage / MSGPACK, tensors)
            config.save_pretrained(stage)
            forget_replaced(folder, stage, is_weights)
    except OSError as error:
        raise write_error(folder, error, sum(array.nbytes for array in tensors.values()) * len(formats)) from error
    settle(folder)


def is_weights(name: str) -> bool:
    """Whether a file of this name is one of those that save_model writes weights to."""
    return name in (WEIGHTS, INDEX, H5, MSGPACK) or SHARD.fullmatch(name) is not None


def keras_name(config: ElectraConfig) -> str:
    """What Keras called the model: ElectraForMaskedLM -> tf_electra_for_masked_lm."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]*", str(config.architectures[0]))
    return "_".join(["tf", *words]).lower()


def write_shards(folder: Path, tensors: Mapping[str, Array], limit: int) -> None:
    """One file if the tensors take at most `limit` bytes, else shards of at most that (or one tensor) and an index."""
    sizes = {name: array.nbytes for name, array in tensors.items()}
    shards: list[list[str]] = [[]]
    room = limit
    for name, size in sizes.items():
        if size > room and shards[-1]:
            shards.append([])
            room = limit
        shards[-1].append(name)
        room -= size
    if len(shards) == 1:
        write_tensors(folder / WEIGHTS, tensors, METADATA)
        return
    places: dict[str, str] = {}
    for number, names in enumerate(shards, start=1):
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        write_tensors(folder / file, {name: tensors[name] for name in names}, METADATA)
        places |= dict.fromkeys(names, file)
    index = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": dict(sorted(places.items()))}
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def parse_size(size: int | str) -> int:
    """Bytes of 500, "200MB", "5GB", "1GiB"."""
    found = re.fullmatch(r"(\d+)\s*([A-Za-z]*)", str(size).strip())
    if found is None or found[2].upper() not in UNITS or int(found[1]) == 0:
        raise UsageError(f"max_shard_size is {size!r}; expected a number of bytes, or such as 200MB, 5GB or 1GiB")
    return int(found[1]) * UNITS[found[2].upper()]
