"""Whether a model folder is what its record says, and whether its parts belong together.

Unusual here: a check has four answers. What was recorded and is now otherwise has "changed"; what could not be right in
any folder is "wrong"; what nothing was recorded about, or what cannot be computed here, is "cannot say", with the reason.
"""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend

from electra.config import ElectraConfig, read_json_object
from electra.errors import DataError, ElectraError
from electra.tokenization import ElectraTokenizer, load_tokenizer
from electra.tokenization.base import Tokenizer
from electra.tokenization.files import FILES, NORMALIZATION, effective
from electra.tokenization.options import LARGEST_LIMIT
from electra.tokenization.reading import ADDED, normalizer_of
from electra.tokenization.special import ROLES
from electra.verification.record import TEXTS, Record, read_record, tensors_of, tokenize
from electra.verification.sample import TOLERANCE, take_sample, versions
from electra.weights.checkpoint import changed_files, list_files
from electra.weights.files import INDEX, PICKLE, WEIGHTS
from electra.weights.matching import check_values
from electra.weights.old_formats import H5, MSGPACK
from electra.weights.sources import Network, open_source

OK, CHANGED, WRONG, UNKNOWN = "ok", "changed", "wrong", "cannot say"
FORMATS = (WEIGHTS, INDEX, H5, MSGPACK)
CLOSED = {  # files of weights that are not opened
    PICKLE: "is a pickle, which can carry code, and is not opened",
    "model.onnx": "is a program, and its tensors are not read here",
}
READ = {"config.json", ADDED, *FILES, *FORMATS, *CLOSED}  # files whose appearance changes a model
NEEDED = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
SHOWN = 3, 4  # lines of a long explanation: from its begin, and from its end, where causes stand


@dataclass(frozen=True)
class Check:
    """One question, its answer (OK, CHANGED, WRONG or UNKNOWN) and the reason in words."""

    name: str
    answer: str
    words: str

    @property
    def has_failed(self) -> bool:
        """Whether something is not as it should be."""
        return self.answer in (CHANGED, WRONG)


def verify(folder: Path) -> list[Check]:
    """Every check of one model folder, in the order in which one explains the next. Nothing is written."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # several checks load the same files; what matters they say in words
        return _verify(folder)


def _verify(folder: Path) -> list[Check]:
    try:
        record, files = read_record(folder), None
    except DataError as error:
        record, files = None, Check("files", WRONG, _brief(error))
    files = files or _files(folder, record)
    network, tensors = _tensors(folder, record)
    values = _values(folder, network)
    is_whole = not (tensors.has_failed or values.has_failed)
    return [
        files,
        tensors,
        values,
        _vocabulary(folder),
        _tokenizers(folder),
        _tokenizations(folder, record, files),
        _logits(folder, record, files, network if is_whole else None),
    ]


# -- files and weights ------------------------------------------------------------------------------------------------


def _files(folder: Path, record: Record | None) -> Check:
    if record is None:
        return Check("files", UNKNOWN, "there is no manifest.json (--write makes one)")
    problems = changed_files(folder, record.files)
    problems += [f"{name} is new" for name in list_files(folder) if name in READ and name not in record.files]
    if problems:
        return Check("files", CHANGED, "; ".join(problems))
    size = sum(entry["size"] for entry in record.files.values())
    return Check("files", OK, f"{len(record.files)} files, {size:,} bytes, as recorded")


def _tensors(folder: Path, record: Record | None) -> tuple[Network | None, Check]:
    """Also the network, where its tensors fit its configuration."""
    if not any((folder / name).is_file() for name in FORMATS):
        for name, why in CLOSED.items():
            if (folder / name).is_file():
                return None, Check("tensors", UNKNOWN, f"{name} {why}")
    try:
        (network,) = open_source(folder, check_manifest=False).networks.values()
        held = tensors_of(folder)
    except ElectraError as error:
        return None, Check("tensors", WRONG, _brief(error))
    if record is not None and record.tensors is not None and record.tensors != held:
        return network, Check("tensors", CHANGED, "; ".join(_differences(record.tensors, held)))
    return network, Check("tensors", OK, f"{len(held)}, as {network.class_name} with this config.json has them")


def _differences(recorded: Mapping[str, Any], held: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(recorded.keys() | held.keys()):
        was, now = recorded.get(name), held.get(name)
        if was != now:
            told = [f"{entry['dtype']} {tuple(entry['shape'])}" if entry else "absent" for entry in (was, now)]
            yield f"{name} was {told[0]}, is {told[1]}"


def _values(folder: Path, network: Network | None) -> Check:
    if network is None:
        return Check("values", UNKNOWN, "see tensors")
    try:
        check_values(network.tensors, folder, is_tied=bool(vars(network.config)["tie_word_embeddings"]))
    except ElectraError as error:
        return Check("values", WRONG, _brief(error))
    return Check("values", OK, "every number is finite")


# -- vocabulary and tokenizers ----------------------------------------------------------------------------------------


def _vocabulary(folder: Path) -> Check:
    """Whether vocabulary, tokenizer and config agree."""
    try:
        tokenizer = _tokenizer(folder)
        config = ElectraConfig.from_pretrained(folder)
    except ElectraError as error:
        return Check("vocabulary", WRONG, _brief(error))
    if tokenizer is None:
        return Check("vocabulary", UNKNOWN, "there is no vocab.txt and no tokenizer.json")
    if problems := [*_sizes(tokenizer, config), *_roles(tokenizer, config), *_normalization(folder)]:
        return Check("vocabulary", WRONG, "; ".join(problems))
    return Check("vocabulary", OK, f"{len(tokenizer):,} tokens of vocab_size {vars(config)['vocab_size']:,}; ids agree")


def _tokenizer(folder: Path) -> Tokenizer | None:
    """The fast tokenizer; None where the folder has no vocabulary. Raises ElectraError on one that cannot be used."""
    return load_tokenizer(folder) if any((folder / name).is_file() for name in FILES[:2]) else None


def _sizes(tokenizer: Tokenizer, config: ElectraConfig) -> Iterator[str]:
    c = vars(config)
    if len(tokenizer) > c["vocab_size"]:
        yield (
            f"the vocabulary has {len(tokenizer):,} tokens, but config.json has vocab_size {c['vocab_size']:,}: ids beyond "
            "it have no embedding"
        )
    longest = tokenizer.model_max_length
    if c["max_position_embeddings"] < longest <= LARGEST_LIMIT:
        yield f"model_max_length is {longest}, but the model has max_position_embeddings {c['max_position_embeddings']}"


def _roles(tokenizer: Tokenizer, config: ElectraConfig) -> Iterator[str]:
    ids = tokenizer.get_vocab()
    for role in NEEDED:
        if getattr(tokenizer, role) is None:
            yield f"the tokenizer has no {role}"
    for role in ROLES:
        expected, token = vars(config).get(f"{role}_id"), getattr(tokenizer, role)
        if expected is not None and token in ids and ids[token] != expected:
            yield f"{token} has the id {ids[token]}, but config.json has {role}_id {expected}"


def _normalization(folder: Path) -> Iterator[str]:
    """Where tokenizer_config.json and tokenizer.json say other things of case, accents and Chinese characters."""
    whole, stated = ((folder / name) for name in FILES[1:3])
    if whole.is_file() and stated.is_file():
        asked = {key: value for key, value in read_json_object(stated).items() if key in NORMALIZATION}
        other = normalizer_of(read_json_object(whole))
        if other and asked:
            one, two = effective(other | asked), effective(other)
            different = [key for key in asked if one[key] != two[key]]
            yield from (
                f"{key} is {one[key]} in tokenizer_config.json, but {two[key]} in tokenizer.json" for key in different
            )


def _tokenizers(folder: Path) -> Check:
    """Whether all that read the folder give one answer: both of ours, and tokenizer.json as others read it."""
    try:
        fast = _tokenizer(folder)
        if fast is None:
            return Check("tokenizers", UNKNOWN, "there is no vocab.txt and no tokenizer.json")
        answers = {
            "the fast tokenizer": tokenize(fast),
            "the slow tokenizer": tokenize(ElectraTokenizer.from_pretrained(folder)),
        }
    except ElectraError as error:
        return Check("tokenizers", WRONG, _brief(error))
    if (folder / "tokenizer.json").is_file():
        try:
            answers["tokenizer.json"] = _as_others_read_it(folder / "tokenizer.json")
        except BaseException as error:  # `tokenizers` raises no narrower class than Exception, and its panics are none
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            return Check("tokenizers", WRONG, f"the tokenizers package does not read tokenizer.json: {error}")
    expected = answers["the fast tokenizer"]
    for name, found in answers.items():
        if different := [text for text in TEXTS if found[text] != expected[text]]:
            return Check("tokenizers", WRONG, f"the fast tokenizer and {name} give other ids for {_quoted(different)}")
    return Check(
        "tokenizers", OK, f"{len(answers)} ways of reading the folder give the same ids for {len(TEXTS)} texts"
    )


def _as_others_read_it(path: Path) -> dict[str, list[int]]:
    backend = Backend.from_file(str(path))
    backend.no_truncation()
    backend.no_padding()
    return {text: backend.encode(text).ids for text in TEXTS}


# -- results ----------------------------------------------------------------------------------------------------------


def _tokenizations(folder: Path, record: Record | None, files: Check) -> Check:
    name = "tokenizations"
    if record is None or record.tokenizations is None:
        return Check(name, UNKNOWN, "none are recorded (--write records them)")
    try:
        tokenizer = _tokenizer(folder)
    except ElectraError as error:
        return Check(name, UNKNOWN, f"the tokenizer cannot be used: {_brief(error)}")
    if tokenizer is None:
        return Check(name, CHANGED, "texts were recorded with their ids, but the vocabulary is gone")
    now = tokenize(tokenizer, record.tokenizations)
    if different := [text for text, ids in record.tokenizations.items() if now[text] != ids]:
        return Check(name, CHANGED, f"other ids for {_quoted(different)}: {_cause(files, record, versions())}")
    return Check(name, OK, f"{len(now)} texts give the ids recorded")


def _logits(folder: Path, record: Record | None, files: Check, network: Network | None) -> Check:
    if record is None or record.sample is None:
        return Check("logits", UNKNOWN, "none are recorded (--write records them)")
    if network is None:
        return Check("logits", UNKNOWN, "see tensors and values")
    try:
        now = take_sample(folder, network.class_name, network.config, record.sample)
    except (ElectraError, ImportError, MemoryError, RuntimeError) as error:
        return Check("logits", UNKNOWN, _brief(error))
    difference = record.sample.difference(now)
    told = f"differ by {difference:.1e} of the largest, {TOLERANCE:.0e} is allowed"
    if now.framework != record.sample.framework:
        told += f"; recorded by {record.sample.framework}, computed by {now.framework}"
    if difference <= TOLERANCE:
        return Check("logits", OK, f"{len(now.logits)} numbers {told}")
    return Check(
        "logits", CHANGED, f"{len(now.logits)} numbers {told}: {_cause(files, record, versions(now.framework))}"
    )


def _cause(files: Check, record: Record, now: Mapping[str, str]) -> str:
    """Why the same question gets another answer."""
    if files.answer != OK:
        return "the files have changed"
    upgraded = [f"{package} {was}, now {now[package]}" for package, was in record.made_with.items()
                if now.get(package, was) != was]  # fmt: skip
    if upgraded:
        return f"the files are unchanged, so an upgrade changed results; made with {', '.join(upgraded)}"
    return "neither files nor versions have changed; manifest.json was edited, or this machine computes otherwise"


def _quoted(texts: list[str]) -> str:
    more = f" and {len(texts) - 1} more" if len(texts) > 1 else ""
    return f"{texts[0][:40]!r}{more}"


def _brief(error: BaseException) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    if len(lines) > sum(SHOWN) + 1:
        lines[SHOWN[0] : -SHOWN[1]] = [f"  ... {len(lines) - sum(SHOWN)} more"]
    return "\n".join(lines)
