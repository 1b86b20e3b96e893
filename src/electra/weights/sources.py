"""What a checkpoint is: Google's, a model folder of any framework, or a pair of networks; and what it holds.

Unusual here: nothing is loaded into a model. Tensors stay views of their files until they are written or used.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from electra.config import ElectraConfig
from electra.errors import DataError, WeightsError
from electra.heads import HEADS, ORIGINAL_HEADS
from electra.weights import folders, matching
from electra.weights.bundle import Bundle
from electra.weights.causes import Evidence, Misfit, cause_of, unwrapped
from electra.weights.checkpoint import verify_manifest
from electra.weights.google import find_networks
from electra.weights.infer import infer_config
from electra.weights.names import TIED_TABLE, Shape, canonical, head_of, tensors
from electra.weights.shipped import or_shipped
from electra.weights.translation import transposed, turned_shapes

NETWORKS = folders.NETWORKS | {"encoder": "ElectraModel"}
NEWEST = re.compile(r'^model_checkpoint_path:\s*"(.+)"', re.MULTILINE)


class Selection(Mapping[str, Any]):
    """Some of a mapping's values, looked up when they are asked for."""

    def __init__(self, whole: Mapping[str, Any], names: Iterable[str]) -> None:
        self.whole, self.names = whole, list(names)

    def __getitem__(self, name: str) -> Any:
        return self.whole[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


@dataclass
class Network:
    """One network of a source: its configuration, with the class in `architectures`, and its tensors by our names."""

    config: ElectraConfig
    tensors: Mapping[str, Any]  # perhaps loaded when asked for
    left_out: list[str] = field(default_factory=list)  # what lay among them and has no place in its class

    def is_tied(self, name: str) -> bool:
        """Whether a tensor is the output table that is the word table, and not stored."""
        return name == TIED_TABLE and bool(vars(self.config)["tie_word_embeddings"])

    @property
    def stored(self) -> Mapping[str, Any]:
        """The tensors a file holds."""
        return Selection(self.tensors, [name for name in self.tensors if not self.is_tied(name)])

    @property
    def class_name(self) -> str:
        """Hugging Face's class, such as ElectraForMaskedLM."""
        return str(vars(self.config)["architectures"][0])


@dataclass
class Source:
    """What was found: the kind in words, the networks by name, where vocabularies may lie, and what was left out.

    notes    what was chosen where there was a choice, a sentence each
    """

    kind: str
    networks: dict[str, Network]
    folder: Path
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_single(self) -> bool:
        """Whether it is one model folder, and not a place with networks in it."""
        return self.kind == "model folder"


def open_source(
    path: Path,
    config: Path | None = None,
    *,
    allow_pickle_weights: bool = False,
    check_manifest: bool = True,
    **known: Any,
) -> Source:
    """Look at a checkpoint. Raises WeightsError where it is none, or its tensors do not fit its configuration.

    path    a folder, the name of a model (electra.weights.shipped), or the prefix of a Google checkpoint, such as
            model.ckpt-1000; of a run that is not finished, the newest whole checkpoint is taken
    config  a config.json to use in place of the source's own
    check_manifest  False: also what is not as its manifest.json says
    known   settings that shapes cannot tell, such as num_attention_heads; of a Google checkpoint, the discriminator's
    """
    prefix = google_prefix(path)
    if prefix is not None:
        return _google(prefix, config, known)
    path = or_shipped(path)
    notes: list[str] = []
    pair = folders.pair_in(path)
    if not pair:
        pair = folders.pair_in(_newest_checkpoint(path, notes))
        check_manifest &= not pair  # it was checked as a whole
    if pair or folders.weight_files(path):
        networks = {
            name: _folder(folder, config, known, allow_pickle_weights, check_manifest, notes)
            for name, folder in (pair or {"model": path}).items()
        }
        if pair:
            return Source("pair of model folders", networks, next(iter(pair.values())), notes=notes)
        names = {class_name: name for name, class_name in NETWORKS.items()}
        network = networks["model"]
        return Source("model folder", {names.get(network.class_name, "model"): network}, path, notes=notes)
    held = ", ".join(sorted(file.name for file in path.iterdir())[:12]) if path.is_dir() else "nothing of that name"
    raise WeightsError(
        f"{path} is no checkpoint: expected a folder with config.json and weights, a folder with discriminator/ or "
        f"generator/, a run, or the prefix of a Google checkpoint (PREFIX.index beside PREFIX.data-*); found {held}"
    )


def _newest_checkpoint(run: Path, notes: list[str]) -> Path:
    """The newest whole checkpoint of a run that is not finished; the folder itself where there is none."""
    for checkpoint in folders.checkpoints_of(run):
        try:
            verify_manifest(checkpoint)
        except DataError as error:
            notes.append(f"passed over {checkpoint.name}: {error}")
            continue
        notes.append(f"{checkpoint.relative_to(run)} is the newest whole checkpoint of this run, which is not finished")
        return checkpoint
    if notes:
        raise WeightsError(f"{run} has no whole checkpoint:\n" + "\n".join(f"  - {note}" for note in notes))
    return run


def google_prefix(path: Path) -> Path | None:
    """The prefix of the Google checkpoint that `path` names; of a folder's the newest. None where it is none."""
    if path.name.endswith(".index") and path.is_file():
        return path.with_name(path.name.removesuffix(".index"))
    if Path(f"{path}.index").is_file():
        return path
    if not path.is_dir():
        return None
    if (path / "checkpoint").is_file():
        newest = NEWEST.search((path / "checkpoint").read_text(encoding="utf-8", errors="replace"))
        if newest and (path / f"{Path(newest[1]).name}.index").is_file():
            return path / Path(newest[1]).name
    prefixes = [file.with_name(file.name.removesuffix(".index")) for file in path.glob("*.index")]
    return prefixes[0] if len(prefixes) == 1 else None


class _Variables(Mapping[str, Any]):
    """The tensors of one network of a bundle, each read and checked when it is asked for."""

    def __init__(self, bundle: Bundle, names: Mapping[str, str]) -> None:
        self.bundle, self.names = bundle, names

    def __getitem__(self, name: str) -> Any:
        return transposed(name, self.bundle[self.names[name]])

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes in our layout, without reading."""
        return turned_shapes({name: self.bundle.entries[variable].shape for name, variable in self.names.items()})


def config_beside(network: str) -> str:
    """The file beside a Google checkpoint that `electra convert` keeps a network's configuration in."""
    return f"{network}.config.json"


def _google(prefix: Path, config: Path | None, known: dict[str, Any]) -> Source:
    bundle = Bundle(prefix)
    found = find_networks(bundle)
    if not found.variables:
        shapes = {name: entry.shape for name, entry in bundle.entries.items()}
        raise WeightsError(
            f"{prefix}.index names {len(bundle)} variables, but none of an ELECTRA: neither discriminator_predictions/ nor "
            f"generator_predictions/ nor electra/ is among them. It begins with {', '.join(list(bundle)[:3])}{_why(shapes)}"
        )
    networks = {}
    for name, variables in found.variables.items():
        held = _Variables(bundle, variables)
        has_own = any(variable.startswith("generator/encoder/") for variable in variables.values())
        of_this = {} if has_own and len(found.variables) == 2 else known
        class_name = NETWORKS.get(name, "")
        if found.head is not None:
            class_name, of_this = found.head.class_name, found.head.settings | of_this
        beside = prefix.with_name(config_beside(name))
        known_config = beside if config is None and beside.is_file() else config
        networks[name] = _network(prefix, class_name, held, held.shapes(), known_config, of_this)
    return Source("checkpoint of Google's code", networks, prefix.parent, found.others)


def _why(shapes: Mapping[str, Shape]) -> str:
    """What the table of causes says of tensors that are no ELECTRA's; nothing where it knows none."""
    evidence = Evidence(shapes, {})
    causes = (cause_of(Misfit(name, shape, None), evidence) for name, shape in shapes.items())
    cause = next((cause for cause in causes if cause is not None), None)
    return "" if cause is None else "\n[1] {}\n    {}".format(*cause.told(evidence))


def _folder(
    folder: Path, config: Path | None, known: dict[str, Any], allow_pickle_weights: bool, check_manifest: bool,
    notes: list[str],
) -> Network:  # fmt: skip
    files = folders.weight_files(folder)
    if len(files) > 1:
        notes.append(
            f"{folder.name} has its weights more than once: took {files[0]}, passed over {', '.join(files[1:])}"
        )
    found = folders.read_weights(folder, allow_pickle_weights, check_manifest)
    arrays = {canonical(unwrapped(name)): array for name, array in found.items()}
    if config is None and (folder / "config.json").is_file():
        config = folder / "config.json"
    shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    return _network(folder, _class_of(arrays, config), arrays, shapes, config, known)


def _class_of(names: Mapping[str, Any], config: Path | None) -> str:
    """The class that config.json names, else the one whose head is among the tensors."""
    if config is not None:
        named = vars(ElectraConfig.from_pretrained(config))["architectures"]
        if named:
            return re.sub(r"^(TF|Flax)", "", str(named[0]))
    heads = {head_of(name) for name in names} - {None}
    for row in HEADS:
        expected = {head_of(name) for name in tensors(ElectraConfig.tiny(), row.tensors)} - {None}
        if heads and expected and expected <= heads and row.name != "encoder":
            return row.class_name
    return "ElectraModel"


def _network(
    where: Path, class_name: str, arrays: Mapping[str, Any], shapes: Any, path: Path | None, known: dict[str, Any]
) -> Network:
    """A network whose tensors were held against its configuration: an error lists every one that does not fit."""
    try:
        config = infer_config(shapes, **known) if path is None else ElectraConfig.from_pretrained(path, **known)
    except WeightsError as error:
        raise WeightsError(f"{where}: {error}{_why(shapes)}") from None
    if vars(config)["num_hidden_layers"] > len(shapes):  # its tensors alone would fill the memory with their names
        raise WeightsError(
            f"{path or where} says num_hidden_layers {vars(config)['num_hidden_layers']:,}, but {where} holds {len(shapes)} "
            "tensors in all; restore the configuration from a good copy"
        )
    config.architectures = [class_name]
    part = next((row.tensors for row in (*HEADS, *ORIGINAL_HEADS) if row.class_name == class_name), "encoder")
    expected = tensors(config) | tensors(config, part)
    is_tied = bool(vars(config)["tie_word_embeddings"])
    found = matching.match(shapes, expected, is_tied=is_tied)
    if found.missing or found.mismatched:
        # Where a model is begun its head may be absent; here it would be invented.
        raise matching.misfit_error(where, found, found.missing, found.unexpected, found.mismatched)
    matching.check_tied(arrays, where, is_tied=is_tied)
    return Network(config, Selection(arrays, found.sources), found.unexpected)
