"""What a run begins with: first weights, or the weights of released or own networks (`--init-from`).

    sources -> networks by name -> their configurations, fitted to corpus and length -> their tensors, and what is lacking, drawn

Only weights are taken: the optimizer, the schedule and the count of steps are new. Sizes are the sources', and settings
that contradict them are refused. What was taken from where is told in notes.

Unusual here: a run that has a checkpoint of its own continues from it without its sources, which may be gone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from electra.config import SIZES, ElectraConfig
from electra.data.corpus import Corpus
from electra.errors import ConfigError, FrozenRunError, WeightsError
from electra.first_weights import NETWORKS, first_weights, seed_of
from electra.training.given import EMBEDDINGS, Given, open_given, rows_of, sha256
from electra.training.networks import first_arrays
from electra.training.run import RunFolder
from electra.training.settings import PretrainSettings
from electra.weights.files import Array, Arrays
from electra.weights.names import TIED_TABLE, WORD_TABLE, tensors
from electra.weights.refit import refit

SIZE_KEYS = ("embedding_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
# Of the settings' `model`: what is chosen anew for each training, and what the corpus decides.
FREE_KEYS = ("hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range")
CORPUS_KEYS = ("vocab_size", "pad_token_id")


@dataclass
class Beginning:
    """The networks of a run. `weights` None: those of the seed, or of the run's own checkpoint. `record`: of settings.json."""

    title: str
    networks: dict[str, ElectraConfig]
    weights: dict[str, Arrays] | None = None
    record: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def begin(init_from: Sequence[Path], settings: PretrainSettings, corpus: Corpus, run: RunFolder) -> Beginning:
    """Decide what a run begins with.

    Raises FrozenRunError where the run was begun with other sources, WeightsError where a source or the folder of a fixed
    generator cannot be used, ConfigError where settings contradict it.
    """
    sources = [str(path) for path in init_from]
    held = run.settings() if run.settings_file.exists() else None
    if held is not None:
        _check_same_sources(run.path, held.get("init_from", {}).get("sources", []), sources)
    title = f"from {', '.join(sources)}" if sources else settings.size
    if held is not None and run.steps() and (sources or settings.generator == "fixed"):
        networks = {name: ElectraConfig.from_dict(values) for name, values in held["networks"].items()}
        return Beginning(title, networks, record={key: held[key] for key in ("init_from", "generator") if key in held})
    if not sources:
        networks = settings.networks(corpus.vocab_size, corpus.special_ids["pad"])
        begins_fixed = settings.generator == "fixed"
        return _with_fixed_generator(title, networks, settings, corpus) if begins_fixed else Beginning(title, networks)
    _check_begins_from_weights(settings)
    given = open_given(init_from, settings)
    networks = _configs(given, settings, corpus)
    rows, told = rows_of(given, corpus)
    weights = _weights(given, networks, rows, settings)
    digests = {name: sha256(one.arrays) for name, one in given.items()}
    notes = [*_origins(given, networks), told, *_positions(given, networks)]
    return Beginning(
        title, networks, weights, {"init_from": {"sources": sources, "sha256": digests}}, [*filter(None, notes)]
    )


def _with_fixed_generator(
    title: str, networks: dict[str, ElectraConfig], settings: PretrainSettings, corpus: Corpus
) -> Beginning:
    """First weights, but for the generator, which is its folder's and speaks of the corpus's pieces."""
    folder = Path(str(settings.generator_folder))
    given = open_given([folder], settings)
    if list(given) != ["generator"]:
        raise WeightsError(
            f"{folder} holds {', '.join(given)}; a fixed generator is one network, an ElectraForMaskedLM"
        )
    rows, _ = rows_of(given, corpus)
    if rows is not None:
        raise WeightsError(f"{folder} has another vocabulary than the corpus, so that its samples would be other words")
    room = given["generator"].config.max_position_embeddings
    if room < settings.max_length:
        raise ConfigError(f"max_length is {settings.max_length}, and the generator of {folder} has {room} positions")
    arrays = given["generator"].arrays
    weights = first_arrays(settings, networks) | {"generator": arrays}
    told = f"generator: {given['generator'].network.class_name} of {folder}, {len(arrays)} tensors, not trained"
    return Beginning(title, networks, weights, {"generator": {"sha256": sha256(arrays)}}, [told])


def _check_begins_from_weights(settings: PretrainSettings) -> None:
    """Raise ConfigError where networks that are given would not be those of the objective."""
    classic = settings.objective in ("electra", "electra_masked_only", "mlm")
    if not (classic and settings.generator == "own" and settings.embedding_sharing == "all"):
        raise ConfigError(
            f"--init-from gives a discriminator and a generator that share all embeddings, or one network for objective mlm; "
            f"objective {settings.objective} with generator {settings.generator} and embedding_sharing "
            f"{settings.embedding_sharing} begins with first weights"
        )


def _check_same_sources(run: Path, before: list[str], now: list[str]) -> None:
    if before != now:
        was, is_now = (f"--init-from {', '.join(names)}" if names else "no --init-from" for names in (before, now))
        raise FrozenRunError(
            f"{run} was begun with {was}, and now there is {is_now}. Use the old command to continue it, or another folder to "
            "begin a new run"
        )


# -- configurations ---------------------------------------------------------------------------------------------------


def _configs(given: dict[str, Given], settings: PretrainSettings, corpus: Corpus) -> dict[str, ElectraConfig]:
    """The sources' configurations with the corpus's vocabulary and long enough, and those of the networks they lack."""
    lengths = [one.config.max_position_embeddings for one in given.values()]
    changes = {
        "vocab_size": corpus.vocab_size,
        "pad_token_id": corpus.special_ids["pad"],
        "max_position_embeddings": max(settings.max_length, settings.model.get("max_position_embeddings", 0), *lengths),
        "architectures": None,
        "torch_dtype": None,
    }
    free = {key: value for key, value in settings.model.items() if key in FREE_KEYS}
    configs = {name: ElectraConfig.from_dict(one.config.to_dict() | changes | free) for name, one in given.items()}
    problems = [text for name, one in given.items() if name != "generator" for text in _contradictions(settings, one)]
    if "generator" in configs and "discriminator" not in configs:
        configs = {"discriminator": _discriminator(settings, configs["generator"], given["generator"])} | configs
    if settings.objective != "mlm":
        discriminator: Any = configs["discriminator"]
        if "generator" in configs:
            problems += _generator_contradictions(settings, discriminator, given["generator"])
        else:
            width = SIZES[settings.size][1] if settings.generator_width is None else settings.generator_width
            configs["generator"] = discriminator.generator(width, settings.generator_depth)
    if problems:
        lines = "\n".join(f"  - {text}" for text in problems)
        raise ConfigError(f"the settings contradict the networks the run is to begin with:\n{lines}")
    return configs


def _contradictions(settings: PretrainSettings, one: Given) -> Iterator[str]:
    held = vars(one.config)
    for key, value in settings.model.items():
        is_longer = key == "max_position_embeddings" and value > held[key]
        if key not in (*FREE_KEYS, *CORPUS_KEYS) and not is_longer and held.get(key) != value:
            yield f"{key} is {value!r} in the settings' model and {held.get(key)!r} in {one.place}; leave it out"
    if not set(SIZE_KEYS) & settings.model.keys():
        named = [size for size in SIZES if _sizes(ElectraConfig.of_size(size)) == _sizes(one.config)]
        if named and settings.size not in named:
            fitting = " or ".join(f"--preset {size}" for size in named)
            yield f"size is {settings.size} and {one.place} is {named[0]}; choose {fitting}"


def _generator_contradictions(settings: PretrainSettings, discriminator: Any, one: Given) -> Iterator[str]:
    width, depth = settings.generator_width, settings.generator_depth
    for key, field_name, share in (
        ("generator_width", "hidden_size", width),
        ("generator_depth", "num_hidden_layers", None if depth == 1 else depth),
    ):
        held = vars(one.config)[field_name]
        wanted = held if share is None else round(vars(discriminator)[field_name] * share)
        if wanted != held:
            yield f"{key} {share} makes {field_name} {wanted}, and it is {held} in {one.place}; leave it out"


def _discriminator(settings: PretrainSettings, generator: Any, one: Given) -> ElectraConfig:
    """The discriminator of the settings' size, with the embeddings of the generator there is."""
    config = settings.networks(generator.vocab_size, generator.pad_token_id)["discriminator"]
    if vars(config)["embedding_size"] != generator.embedding_size:
        raise ConfigError(
            f"{one.place} is a generator alone, so the discriminator is built, of size {settings.size}; but its embedding_size "
            f"would be {vars(config)['embedding_size']}, the generator's is {generator.embedding_size}, and the two share "
            "their embeddings. Choose the preset or the size that the generator belongs to"
        )
    shared = {key: vars(generator)[key] for key in ("max_position_embeddings", "type_vocab_size")}
    return ElectraConfig.from_dict(config.to_dict() | shared)


def _sizes(config: ElectraConfig) -> list[Any]:
    return [vars(config)[key] for key in SIZE_KEYS]


# -- weights ----------------------------------------------------------------------------------------------------------


def _weights(
    given: dict[str, Given], networks: dict[str, ElectraConfig], rows: Array | None, settings: PretrainSettings
) -> dict[str, Arrays]:
    """All tensors of all networks: the sources', fitted, and first weights where these have none."""
    weights: dict[str, Arrays] = {}
    for number, (name, config) in enumerate(networks.items()):
        held = given[name].arrays if name in given else {}
        std, seed = vars(config)["initializer_range"], seed_of(number, settings.seed)
        arrays: Arrays = {}
        for key, shape in (tensors(config) | tensors(config, NETWORKS[name])).items():
            draw = partial(_drawn, key, shape, std, seed)
            arrays[key] = refit(key, held[key], shape, rows, draw) if key in held else draw()
        weights[name] = arrays
    owner = next(iter(given))
    embeddings = {key: array for key, array in weights[owner].items() if key.startswith(EMBEDDINGS)}
    for name, arrays in weights.items():
        arrays |= embeddings
        if TIED_TABLE in arrays and vars(networks[name])["tie_word_embeddings"]:
            arrays[TIED_TABLE] = arrays[WORD_TABLE]
    return weights


def _drawn(name: str, shape: tuple[int, ...], std: float, seed: int) -> Array:
    return first_weights({name: shape}, std, seed)[name]


# -- in words ---------------------------------------------------------------------------------------------------------


def _origins(given: dict[str, Given], networks: dict[str, ElectraConfig]) -> Iterator[str]:
    """Where each network is from."""
    for name, config in networks.items():
        c = vars(config)
        if name not in given:
            yield (
                f"{name}: new, {c['num_hidden_layers']} layers, hidden {c['hidden_size']}, {c['num_attention_heads']} heads; "
                f"its embeddings are those of the {next(iter(given))}"
            )
            continue
        one = given[name]
        head = tensors(config, NETWORKS[name])
        taken = [key for key in tensors(config) | head if key in one.arrays]
        new = "" if set(taken) & set(head) else "; its head is new"
        yield f"{name}: {one.network.class_name} of {one.place}, {len(taken)} tensors{new}"


def _positions(given: dict[str, Given], networks: dict[str, ElectraConfig]) -> Iterator[str]:
    one = next(iter(given.values()))
    before, now = one.config.max_position_embeddings, vars(next(iter(networks.values())))["max_position_embeddings"]
    if now > before:
        yield f"positions: {before:,} were learned; those up to {now:,} begin as repetitions of them"
