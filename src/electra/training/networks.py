"""The networks of a pretraining run: which an objective has, which settings go together, and what the networks share.

    discriminator               judges every token (electric: gives its energy)         electra, electra_masked_only, electric
    masked_lm                   names tokens                                            mlm, replace_mlm
    discriminator, masked_lm    two heads on one encoder: whether to copy, and what else           all_tokens_mlm
    generator                   samples the replacements                                generator own, tied, fixed
    generator_ltr, generator_rtl, cloze    encoders that read from one side, and the head over both       two_towers

The first network of a run is its main one; what others share is its own. A network that shares something is nevertheless
saved whole, as a folder anyone can load.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from electra.config import SIZES, ElectraConfig
from electra.errors import ConfigError
from electra.first_weights import first_networks
from electra.weights.files import Arrays

MAIN = {
    "electra": ("discriminator",),
    "electra_masked_only": ("discriminator",),
    "electric": ("discriminator",),
    "replace_mlm": ("masked_lm",),
    "all_tokens_mlm": ("discriminator", "masked_lm"),
    "mlm": ("masked_lm",),
}
GENERATORS = ("own", "tied", "two_towers", "uniform", "fixed")
SHARINGS = ("all", "tokens", "none", "gdes")
TOWERS = ("generator_ltr", "generator_rtl")
TABLES = "electra.embeddings"
WORDS = "electra.embeddings.word_embeddings"
DEFAULTS: dict[str, Any] = {
    "generator": "own",
    "generator_width": None,
    "generator_depth": 1.0,
    "generator_folder": None,
    "embedding_sharing": "all",
    "temperature": 1.0,
    "final_temperature": None,
    "disallow_correct": False,
}
SHIFTED = (WORDS, "electra.embeddings.position_embeddings")  # of the discriminator, by gdes


@dataclass(frozen=True)
class Shared:
    """The module `path` of the network `taker` is the module `owner_path` of the network `owner`."""

    taker: str
    path: str
    owner: str
    owner_path: str


def configs_of(settings: Any, config: ElectraConfig) -> dict[str, ElectraConfig]:
    """The configuration of each network, by name, where the main one has `config`; a fixed generator's is its folder's."""
    networks = dict.fromkeys(MAIN[settings.objective], config)
    if settings.objective == "mlm" or settings.generator == "uniform":
        return networks
    if settings.generator == "tied":
        return networks | {"generator": config}
    if settings.generator == "fixed":
        return networks | {"generator": ElectraConfig.from_pretrained(settings.generator_folder)}
    width = SIZES[settings.size][1] if settings.generator_width is None else settings.generator_width
    changes = {"is_decoder": True} if settings.generator == "two_towers" else {}
    generator = config.generator(width, settings.generator_depth, **changes)
    if settings.generator == "two_towers":
        return networks | dict.fromkeys((*TOWERS, "cloze"), generator)
    if (
        settings.embedding_sharing == "none"
    ):  # tables of its own are as wide as the generator, which needs no projection
        generator = config.generator(width, settings.generator_depth, embedding_size=vars(generator)["hidden_size"])
    return networks | {"generator": generator}


def shared_by(settings: Any, networks: Mapping[str, ElectraConfig]) -> list[Shared]:
    """What the networks of a run share. Raises ConfigError where two that share embeddings were not made for each other."""
    main = next(iter(networks))
    shared = []
    if settings.objective == "all_tokens_mlm":
        shared.append(Shared("masked_lm", "electra", main, "electra"))
    if settings.generator == "two_towers":
        shared += [Shared(tower, TABLES.removeprefix("electra."), main, TABLES) for tower in TOWERS]
    elif "generator" in networks:
        path = {"tied": "electra"}.get(settings.generator) or {"all": TABLES, "tokens": WORDS}.get(
            settings.embedding_sharing
        )
        if path:
            shared.append(Shared("generator", path, main, path))
        if path or settings.embedding_sharing == "gdes":
            _check_fit(networks["generator"], networks[main])
    return shared


def shifted_by(settings: Any) -> tuple[str, ...]:
    """The discriminator's tables that are the generator's, without gradient, plus a difference of its own."""
    return SHIFTED if settings.embedding_sharing == "gdes" else ()


def first_arrays(settings: Any, networks: Mapping[str, ElectraConfig]) -> dict[str, Arrays]:
    """The first weights of every network, by name; what networks share is to be the owner's."""
    arrays = first_networks(networks, seed=settings.seed, start=settings.start)
    if settings.embedding_sharing == "gdes":
        arrays["generator"] |= {n: array for n, array in arrays["discriminator"].items() if n.startswith(f"{TABLES}.")}
    return arrays


def _check_fit(generator: ElectraConfig, main: ElectraConfig) -> None:
    for key in ("vocab_size", "embedding_size", "max_position_embeddings", "type_vocab_size"):
        ours, theirs = vars(generator)[key], vars(main)[key]
        if ours != theirs:
            raise ConfigError(
                f"{key} is {ours} in the generator, {theirs} in the network that shares its embeddings; they must agree"
            )


def problems_of(settings: Any) -> Iterator[str]:
    """What does not go together in the settings of a run, and why."""
    objective, generator, sharing = settings.objective, settings.generator, settings.embedding_sharing
    if objective not in MAIN or generator not in GENERATORS or sharing not in SHARINGS:
        return  # named already
    if objective == "mlm":
        for key in ("generator", "embedding_sharing", "final_temperature", "generator_folder"):
            if getattr(settings, key) != DEFAULTS[key]:
                yield f"{key} is {getattr(settings, key)!r}, and objective mlm has no generator; leave it out"
        return
    if objective == "electric":
        if generator != "two_towers":
            yield (
                f"generator is {generator!r}; objective electric needs the probability of every token given all others, which "
                'two towers alone give: set generator to "two_towers"'
            )
        for key in ("temperature", "final_temperature", "disallow_correct"):
            if getattr(settings, key) != DEFAULTS[key]:
                yield f"{key} is {getattr(settings, key)!r}; objective electric needs samples of the towers as they are"
    if generator not in ("own", "two_towers"):
        for key in ("generator_width", "generator_depth"):
            if getattr(settings, key) != DEFAULTS[key]:
                yield f"{key} is {getattr(settings, key)}, and generator {generator} has a size of its own; leave it out"
    if (settings.generator_folder is not None) != (generator == "fixed"):
        yield (
            "generator is 'fixed', and generator_folder does not say where it is"
            if generator == "fixed"
            else f"generator_folder is {settings.generator_folder!r}, and generator is {generator!r}, not 'fixed'"
        )
    if (generator, sharing, settings.start) == ("fixed", "gdes", "local"):
        yield "start is 'local', which makes its own tables, and with gdes those of the fixed generator are the first"
    yield from _sharing_problems(objective, generator, sharing)


def _sharing_problems(objective: str, generator: str, sharing: str) -> Iterator[str]:
    if generator in ("tied", "two_towers", "uniform") and sharing != "all":
        why = {
            "tied": "is the main network's encoder, embeddings included",
            "two_towers": "reads by the main network's embeddings, as in the original",
            "uniform": "has no embeddings",
        }[generator]
        yield f"embedding_sharing is {sharing!r}, and generator {generator} {why}; leave it out"
    if generator == "fixed" and sharing not in ("none", "gdes"):
        yield (
            f"embedding_sharing is {sharing!r}, and what is shared is trained, but a fixed generator is not: "
            'set embedding_sharing to "none" or "gdes"'
        )
    if sharing == "gdes" and MAIN[objective] != ("discriminator",):
        yield (
            "embedding_sharing is 'gdes', which keeps a discriminator's gradient from the generator's tables, and the main "
            f"network of objective {objective} names tokens as the generator does"
        )
