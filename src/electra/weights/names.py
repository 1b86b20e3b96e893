"""Every tensor of every head, once: its name, kind and shape from the configuration.

A row is a module; its kind says which tensors it has. Names are Hugging Face's PyTorch names with the prefix `electra.`
(a bare ElectraModel has the same names without it). `{}` in a name is the number of the layer.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from electra.config import ElectraConfig

# V vocabulary, E embedding, P positions, T token types, H hidden, I intermediate, D head width, K the width of the heads a
# layer has left (H where none was pruned), R relative distances, N labels, S summary width, A answer width; W two joined
# vectors, X and Y what decides of an answer's end and absence sees
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Module:
    """One module of the tree.

    kind   embedding: weight (rows, width). linear: weight (out, in), bias (out). norm: weight, bias (width). bias: itself
    part   "encoder", or the head it belongs to
    glorot weights start Glorot uniform, as in the original, instead of truncated normal
    """

    name: str
    kind: str
    shape: str
    part: str = "encoder"
    glorot: bool = False


MODULES = (
    Module("electra.embeddings.word_embeddings", "embedding", "V E"),
    Module("electra.embeddings.position_embeddings", "embedding", "P E"),
    Module("electra.embeddings.token_type_embeddings", "embedding", "T E"),
    Module("electra.embeddings.LayerNorm", "norm", "E"),
    Module("electra.embeddings_project", "linear", "H E", glorot=True),
    Module("electra.encoder.layer.{}.attention.self.query", "linear", "K H"),
    Module("electra.encoder.layer.{}.attention.self.key", "linear", "K H"),
    Module("electra.encoder.layer.{}.attention.self.value", "linear", "K H"),
    Module("electra.encoder.layer.{}.attention.self.distance_embedding", "embedding", "R D"),
    Module("electra.encoder.layer.{}.attention.output.dense", "linear", "H K"),
    Module("electra.encoder.layer.{}.attention.output.LayerNorm", "norm", "H"),
    Module("electra.encoder.layer.{}.crossattention.self.query", "linear", "H H"),
    Module("electra.encoder.layer.{}.crossattention.self.key", "linear", "H H"),
    Module("electra.encoder.layer.{}.crossattention.self.value", "linear", "H H"),
    Module("electra.encoder.layer.{}.crossattention.output.dense", "linear", "H H"),
    Module("electra.encoder.layer.{}.crossattention.output.LayerNorm", "norm", "H"),
    Module("electra.encoder.layer.{}.intermediate.dense", "linear", "I H"),
    Module("electra.encoder.layer.{}.output.dense", "linear", "H I"),
    Module("electra.encoder.layer.{}.output.LayerNorm", "norm", "H"),
    Module("generator_predictions.LayerNorm", "norm", "E", "masked_lm"),
    Module("generator_predictions.dense", "linear", "E H", "masked_lm"),
    Module("generator_lm_head", "linear", "V E", "masked_lm"),
    Module("cloze_predictions.LayerNorm", "norm", "E", "cloze"),
    Module("cloze_predictions.dense", "linear", "E W", "cloze"),
    Module("cloze_lm_head", "bias", "V", "cloze"),
    Module("discriminator_predictions.dense", "linear", "H H", "pretraining"),
    Module("discriminator_predictions.dense_prediction", "linear", "1 H", "pretraining", glorot=True),
    Module("classifier.dense", "linear", "H H", "sequence_classification", glorot=True),
    Module("classifier.out_proj", "linear", "N H", "sequence_classification", glorot=True),
    Module("classifier", "linear", "N H", "token_classification", glorot=True),
    Module("qa_outputs", "linear", "N H", "question_answering", glorot=True),
    Module("sequence_summary.summary", "linear", "S H", "multiple_choice", glorot=True),
    Module("classifier", "linear", "1 S", "multiple_choice", glorot=True),
    Module("qa_head.start", "linear", "1 H", "original_question_answering", glorot=True),
    Module("qa_head.end_hidden", "linear", "A W", "original_question_answering", glorot=True),
    Module("qa_head.end", "linear", "1 X", "original_question_answering", glorot=True),
    Module("qa_head.no_answer_hidden", "linear", "A W", "original_question_answering", glorot=True),
    Module("qa_head.no_answer", "linear", "1 Y", "original_question_answering", glorot=True),
)

ANSWER_WIDTH = 512  # of the hidden layers in the original's head for questions, whatever the encoder's size

# The output table of the generator: the word embeddings themselves unless tie_word_embeddings is false.
WORD_TABLE = "electra.embeddings.word_embeddings.weight"
TIED_TABLE = "generator_lm_head.weight"

# What files of older tools may hold beyond our tensors, by the end of the name: counters that are no weights.
TOLERATED = ("embeddings.position_ids", "embeddings.token_type_ids")

# What a norm's tensors were called by the first converters.
OLD_LEAVES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}


def dimensions(config: ElectraConfig) -> dict[str, int]:
    """What the letters of a row's shape stand for."""
    c = vars(config)
    hidden = c["hidden_size"]
    return {
        "V": c["vocab_size"],
        "E": c["embedding_size"],
        "P": c["max_position_embeddings"],
        "T": c["type_vocab_size"],
        "H": hidden,
        "I": c["intermediate_size"],
        "D": hidden // c["num_attention_heads"],
        "R": 2 * c["max_position_embeddings"] - 1,
        "N": config.num_labels,
        "S": config.num_labels if c["summary_use_proj"] and c["summary_proj_to_labels"] else hidden,
        "A": ANSWER_WIDTH,
        "W": 2 * hidden,
        "X": ANSWER_WIDTH if c["joint_prediction"] else hidden,
        "Y": ANSWER_WIDTH if c["answerable_uses_start_logits"] else hidden,
        "1": 1,
    }


def tensors(config: ElectraConfig, part: str = "encoder") -> dict[str, Shape]:
    """Name -> shape of every tensor of the encoder, or of one head without the encoder under it."""
    sizes = dimensions(config)
    found: dict[str, Shape] = {}
    for module in MODULES:
        if module.part == part and _is_there(module, config):
            for layer, name in enumerate(_layers(module.name, config)):
                widths = sizes | {"K": heads_left(config, layer) * sizes["D"]}
                shape = tuple(widths[letter] for letter in module.shape.split())
                found |= {f"{name}.{leaf}": size for leaf, size in _leaves(module.kind, shape)}
    return found


def heads_left(config: ElectraConfig, layer: int) -> int:
    """How many attention heads of a layer are not pruned."""
    pruned = {int(number): set(heads) for number, heads in vars(config)["pruned_heads"].items()}
    return int(vars(config)["num_attention_heads"]) - len(pruned.get(layer, ()))


def _is_there(module: Module, config: ElectraConfig) -> bool:
    c = vars(config)
    if module.name == "electra.embeddings_project":
        return bool(c["embedding_size"] != c["hidden_size"])
    if ".crossattention." in module.name:
        return bool(c["add_cross_attention"])
    if module.name.endswith("distance_embedding"):
        return bool(c["position_embedding_type"] != "absolute")
    if module.name.startswith("sequence_summary"):
        return bool(c["summary_use_proj"])
    if module.name == "qa_head.end_hidden":
        return bool(c["joint_prediction"])
    if module.name == "qa_head.no_answer_hidden":
        return bool(c["answerable_classifier"] and c["answerable_uses_start_logits"])
    if module.name == "qa_head.no_answer":
        return bool(c["answerable_classifier"])
    return True


def _layers(name: str, config: ElectraConfig) -> list[str]:
    return [name.format(i) for i in range(vars(config)["num_hidden_layers"])] if "{}" in name else [name]


def _leaves(kind: str, shape: Shape) -> Iterator[tuple[str, Shape]]:
    if kind != "bias":
        yield "weight", shape
    if kind != "embedding":
        yield "bias", shape[:1]


def canonical(name: str) -> str:
    """The name with the prefix `electra.` where a bare encoder leaves it out, and a norm's as it is called today."""
    for old, new in OLD_LEAVES.items():
        if name.endswith(old):
            name = name.removesuffix(old) + new
    return f"electra.{name}" if name.split(".")[0] in ("embeddings", "embeddings_project", "encoder") else name


def head_of(name: str) -> str | None:
    """The module of a head that a tensor belongs to, such as "classifier"; None for encoders and unknown names."""
    module = name.rpartition(".")[0]
    known = {row.name for row in MODULES if row.part != "encoder"}
    return module.split(".")[0] if module in known else None


def is_glorot(module: str) -> bool:
    """Whether a module's weights start Glorot uniform."""
    return any(row.glorot and row.name == canonical(module) for row in MODULES)
