"""ElectraConfig: the sizes and switches of one encoder, under Hugging Face's names, read and written as `config.json`.

Unusual here: every problem of a configuration is reported at once, and a key nobody knows is kept but never silent.
Sizes are from the paper, table 6, and the released checkpoints; the rules of the generator from google-research/electra.
"""

import copy
import json
import warnings
from collections.abc import Mapping
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electra.config_checks import problems_of
from electra.disk.replace import write_atomically
from electra.errors import ConfigError, DataError, did_you_mean

# Settings shared by all models of that family of libraries: key -> default. Written to config.json only where changed.
GENERAL_DEFAULTS: dict[str, Any] = {
    "is_decoder": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
    "output_attentions": False,
    "output_hidden_states": False,
    "return_dict": True,
    "chunk_size_feed_forward": 0,
    "pruned_heads": {},
    "problem_type": None,
    "architectures": None,
    "bos_token_id": None,
    "eos_token_id": None,
    "sep_token_id": None,
    "torch_dtype": None,
    "summary_first_dropout": 0.0,
    "summary_proj_to_labels": False,
    "joint_prediction": True,  # these four: electra.torch.original_heads, question answering
    "answerable_classifier": True,
    "answerable_uses_start_logits": True,
    "beam_size": 20,
}

# Keys other tools write into config.json that say nothing about this model: kept as they are, without a warning.
PASSIVE_KEYS = frozenset(
    """
    _attn_implementation _name_or_path attn_implementation bad_words_ids begin_suppress_tokens
    cross_attention_hidden_size decoder_start_token_id diversity_penalty do_sample dtype early_stopping
    encoder_no_repeat_ngram_size exponential_decay_length_penalty finetuning_task forced_bos_token_id
    forced_eos_token_id gradient_checkpointing is_encoder_decoder length_penalty max_length min_length
    no_repeat_ngram_size num_beam_groups num_beams num_return_sequences output_past output_scores prefix
    remove_invalid_values repetition_penalty return_dict_in_generate suppress_tokens task_specific_params
    temperature tf_legacy_loss tie_encoder_decoder tokenizer_class top_k top_p torchscript transformers_version
    typical_p use_bfloat16
    """.split()  # noqa: SIM905 - a table of words
)

MOST_LABELS = 1 << 24  # more are a damaged file's; their names alone would take gigabytes

# size -> (fields, width of its generator as a share of its own hidden size)
SIZES: dict[str, tuple[dict[str, Any], float]] = {
    "tiny": (
        dict(
            vocab_size=4096,
            embedding_size=128,
            hidden_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=512,
            max_position_embeddings=128,
        ),
        0.25,
    ),
    "small": (dict(embedding_size=128, hidden_size=256, num_attention_heads=4, intermediate_size=1024), 0.25),
    "small++": (dict(embedding_size=128, hidden_size=256, num_attention_heads=4, intermediate_size=1024), 1.0),
    "base": (dict(embedding_size=768, hidden_size=768, num_attention_heads=12, intermediate_size=3072), 1 / 3),
    "large": (
        dict(
            embedding_size=1024, hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096
        ),
        0.25,
    ),
}


class ElectraConfig:
    """Sizes and switches of one ELECTRA encoder; the defaults are ELECTRA-small.

    The named parameters are the documentation page's. `kwargs` takes the general settings (`GENERAL_DEFAULTS`),
    `num_labels` or `id2label` and `label2id`, and any other key, which is kept and warned about.
    Raises ConfigError that lists every bad value.
    """

    model_type = "electra"

    if TYPE_CHECKING:  # fields are set from the constructor's arguments

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def __init__(
        self,
        vocab_size: int = 30522,
        embedding_size: int = 128,
        hidden_size: int = 256,
        num_hidden_layers: int = 12,
        num_attention_heads: int = 4,  # each head is hidden_size / num_attention_heads wide
        intermediate_size: int = 1024,
        hidden_act: str = "gelu",  # the exact, erf form
        hidden_dropout_prob: float = 0.1,
        attention_probs_dropout_prob: float = 0.1,
        max_position_embeddings: int = 512,  # the longest input, in tokens
        type_vocab_size: int = 2,
        initializer_range: float = 0.02,  # standard deviation of the truncated normal
        layer_norm_eps: float = 1e-12,
        summary_type: str = "first",  # the four summary_* settings are multiple choice's
        summary_use_proj: bool = True,
        summary_activation: str | None = "gelu",
        summary_last_dropout: float = 0.1,
        pad_token_id: int = 0,
        position_embedding_type: str = "absolute",
        use_cache: bool = True,
        classifier_dropout: float | None = None,  # None: hidden_dropout_prob
        **kwargs: Any,
    ) -> None:
        named = {key: value for key, value in locals().items() if key not in ("self", "kwargs", "__class__")}
        kwargs.pop("model_type", None)
        labels = {key: kwargs.pop(key, None) for key in ("num_labels", "id2label", "label2id")}
        general = {key: kwargs.pop(key, copy.copy(default)) for key, default in GENERAL_DEFAULTS.items()}
        for key, value in (named | general | kwargs).items():
            setattr(self, key, value)
        self._unknown = tuple(kwargs)
        self._set_labels(**labels)
        self._warn_of_unknown_keys()
        self.validate()

    # -- labels: id2label is the truth, the other two follow ----------------------------------------------------------

    def _set_labels(self, num_labels: int | None, id2label: Mapping[Any, str] | None, label2id: Any) -> None:
        if num_labels is not None and not (isinstance(num_labels, Integral) and 0 <= num_labels <= MOST_LABELS):
            raise ConfigError(f"num_labels is {num_labels!r}, expected a whole number of at most {MOST_LABELS:,}")
        if id2label is None:
            id2label = {i: f"LABEL_{i}" for i in range(2 if num_labels is None else num_labels)}
        try:
            self.id2label = {int(i): label for i, label in id2label.items()}
            self.label2id = dict(label2id) if label2id is not None else {name: i for i, name in self.id2label.items()}
        except (AttributeError, TypeError, ValueError):
            raise ConfigError(
                f"id2label is {id2label!r} and label2id {label2id!r}, expected the names of labels by their numbers, and back"
            ) from None
        if num_labels is not None and num_labels != len(id2label):
            raise ConfigError(
                f"num_labels is {num_labels}, but id2label names {len(id2label)} labels; give one of the two"
            )

    @property
    def num_labels(self) -> int:
        """How many labels a fine-tuning head has; setting it gives them the names LABEL_0, LABEL_1, ..."""
        return len(self.id2label)

    @num_labels.setter
    def num_labels(self, count: int) -> None:
        self._set_labels(count, None, None)

    @property
    def use_return_dict(self) -> bool:
        """Whether models answer with output objects (True) or plain tuples."""
        return bool(self.return_dict)

    # -- sizes --------------------------------------------------------------------------------------------------------

    @classmethod
    def of_size(cls, size: str, **changes: Any) -> "ElectraConfig":
        """The discriminator of a named size: tiny, small, small++, base or large. Raises ConfigError on another."""
        if size not in SIZES:
            raise ConfigError(f'there is no size "{size}"{did_you_mean(size, SIZES)}; sizes are {", ".join(SIZES)}')
        return cls(**(SIZES[size][0] | changes))

    @classmethod
    def tiny(cls, **changes: Any) -> "ElectraConfig":
        """Trains on two cores in minutes; for demonstrations and tests of a pipeline."""
        return cls.of_size("tiny", **changes)

    @classmethod
    def small(cls, **changes: Any) -> "ElectraConfig":
        """The paper's small model: encoder of 13,483,008 parameters, generator a quarter as wide."""
        return cls.of_size("small", **changes)

    @classmethod
    def small_plus_plus(cls, **changes: Any) -> "ElectraConfig":
        """The released small model ("small++"): as small, with a generator of its own size."""
        return cls.of_size("small++", **changes)

    @classmethod
    def base(cls, **changes: Any) -> "ElectraConfig":
        """Encoder of 108,891,648 parameters, generator a third as wide."""
        return cls.of_size("base", **changes)

    @classmethod
    def large(cls, **changes: Any) -> "ElectraConfig":
        """Encoder of 334,092,288 parameters, generator a quarter as wide."""
        return cls.of_size("large", **changes)

    def generator(self, width: float = 0.25, depth: float = 1.0, **changes: Any) -> "ElectraConfig":
        """The configuration of the generator that trains this discriminator.

        width and depth are shares of this model's hidden size and layers. Heads are 64 wide and the feed-forward layer is
        four times the hidden size; the embedding keeps its width, because the two networks share it.
        Source: google-research/electra, pretrain/pretrain_helpers.py and run_pretraining.py, get_generator_config.
        """
        hidden = round(self.hidden_size * width)
        sizes = dict(
            hidden_size=hidden,
            num_hidden_layers=round(self.num_hidden_layers * depth),
            num_attention_heads=max(1, hidden // 64),
            intermediate_size=4 * hidden,
        )
        return type(self)(**(self._arguments() | {"architectures": None} | sizes | changes))

    # -- checks -------------------------------------------------------------------------------------------------------

    def validate(self) -> None:
        """Raise ConfigError with every problem there is; called on construction, loading and when a model is built."""
        problems = problems_of(vars(self))
        if problems:
            lines = "\n".join(f"  - {text}" for text in problems)
            raise ConfigError(f"ElectraConfig has {len(problems)} problem{'s' * (len(problems) > 1)}:\n{lines}")

    def _warn_of_unknown_keys(self) -> None:
        known = [*vars(self), "num_labels"]
        for key in self._unknown:
            if key not in PASSIVE_KEYS:
                others = [name for name in known if name != key]
                warnings.warn(
                    f'ElectraConfig keeps "{key}", which it does not know{did_you_mean(key, others)}', stacklevel=4
                )

    # -- files --------------------------------------------------------------------------------------------------------

    def _arguments(self) -> dict[str, Any]:
        """The keyword arguments that make an equal configuration."""
        held = {key: value for key, value in vars(self).items() if not key.startswith("_") or key in self._unknown}
        return copy.deepcopy(held)

    def to_dict(self) -> dict[str, Any]:
        """Everything config.json holds: all the page's parameters, and whatever else differs from its default."""
        values = self._arguments()
        for key, default in GENERAL_DEFAULTS.items():
            if values[key] == default:
                del values[key]
        if self.id2label == {0: "LABEL_0", 1: "LABEL_1"}:
            del values["id2label"], values["label2id"]
        else:
            values["id2label"] = {str(i): label for i, label in self.id2label.items()}
        return values | {"model_type": self.model_type}

    def to_json_string(self) -> str:
        """The text of config.json, keys sorted."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json into `folder`, which is made if absent. Raises OSError where the disk refuses."""
        path = Path(folder) / "config.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = self.to_json_string().encode("utf-8")
        write_atomically(path, lambda file: file.write(text))

    @classmethod
    def from_dict(
        cls, values: Mapping[str, Any], *, strict: bool = False, where: str = "the dictionary"
    ) -> "ElectraConfig":
        """The configuration in `values`, which came from `where`: that is what errors name.

        strict refuses unknown keys instead of keeping them with a warning. Raises ConfigError on bad values, and where
        model_type is another's.
        """
        model_type = values.get("model_type", cls.model_type)
        if model_type != cls.model_type:
            raise ConfigError(f'{where} describes a model of type "{model_type}"; expected "{cls.model_type}"')
        known = {*cls()._arguments(), "num_labels", "model_type"}
        unknown = [key for key in values if key not in known | PASSIVE_KEYS]
        if strict and unknown:
            named = ", ".join(f'"{key}"{did_you_mean(key, known)}' for key in unknown)
            raise ConfigError(f"{where} has keys ElectraConfig does not know: {named}")
        return cls(**values)

    @classmethod
    def from_pretrained(cls, source: str | Path, *, strict: bool = False, **changes: Any) -> "ElectraConfig":
        """The configuration of a model folder (or of a config.json), with `changes` applied.

        `changes` may hold revision, cache_dir, token and the like, for a name on the hub.
        Raises DataError where there is no such file or it is not a JSON object, ConfigError on bad values, and on a change
        that neither this class nor the file knows.
        """
        from electra.weights.folders import refuse_pair
        from electra.weights.hub import local_folder, take_hub_options

        options = take_hub_options(changes)
        path = (
            Path(source)
            if str(source).endswith(".json")
            else local_folder(source, network="discriminator", **options) / "config.json"
        )
        if not path.is_file():
            refuse_pair(path.parent)
        held = read_json_object(path)
        cls.check_changes(changes, held)
        return cls.from_dict(held | changes, strict=strict, where=str(path))

    @classmethod
    def check_changes(cls, changes: Mapping[str, Any], held: Mapping[str, Any]) -> None:
        """Raise ConfigError where a keyword names no setting: neither one of this class nor one that is held already."""
        known = {*cls()._arguments(), "num_labels", "model_type", *held}
        unknown = [f"{key}{did_you_mean(key, known)}" for key in changes if key not in known | PASSIVE_KEYS]
        if unknown:
            raise ConfigError(f"unknown arguments, which are no settings of ElectraConfig either: {', '.join(unknown)}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ElectraConfig) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ElectraConfig {self.to_json_string()}"


def read_json(path: Path) -> Any:
    """What a JSON file holds; DataError names the file, the line and what to do."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; a model folder holds config.json and model.safetensors") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error}); restore it from a good copy") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}, column {error.colno}: not JSON ({error.msg})") from None


def read_json_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; DataError also where it holds something else."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise DataError(f"{path} holds a {type(value).__name__}, expected a JSON object")
    return value
