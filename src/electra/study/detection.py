"""Detection of replaced tokens on held-out text, the same for every variant: who was trained by what does not matter.

The measures of pretraining are of each variant's own generator, so they cannot be compared. Here 15% of the tokens of fixed
windows are replaced by tokens drawn by their frequency in the training text. A discriminator ranks tokens by its logit; a masked
language model by -log p(token | the others), each token masked in turn, or, where it was trained without [MASK], as it stands.

Unusual here: the replaced tokens are nobody's generator's, which is easier than what ELECTRA is trained on.
"""

from pathlib import Path
from typing import Any

import numpy as np

from electra.data.corpus import Corpus
from electra.inference.network import Network, Options
from electra.tasks.metrics import roc_auc
from electra.tasks.statistics import spread
from electra.training.interrupt import StopRequest
from electra.training.metrics import average_precision
from electra.training.run import RunFolder

Array = np.ndarray[Any, Any]
SHARE = 0.15  # of the tokens, that are replaced
ROWS = 128  # windows
WITHOUT_MASK = ("replace_mlm", "all_tokens_mlm")  # objectives whose networks never see [MASK]


def detection_piece(order: dict[str, Any], folder: Path) -> tuple[StopRequest, dict[str, Any]]:
    """The scores of a run's network; of the form of a fine-tuning with one seed."""
    del folder  # it is over in seconds, so there is nothing to go on with
    run, settings = Path(order["run"]), RunFolder(Path(order["run"])).settings()
    rows, is_replaced = corrupted(Path(order["corpus"]), rows=order["limit_train"], length=order["length"])
    objective = settings["settings"]["objective"]
    options = Options(threads=order["threads"])
    if "masked_lm" in settings["networks"]:
        network = Network("ElectraForMaskedLM", run / "masked_lm", options)
        scores = unlikeliness(network, rows, is_masked=objective not in WITHOUT_MASK)
    else:
        network = Network("ElectraForPreTraining", run / "discriminator", options)
        found = network.replaced([network.row(row) for row in rows])
        scores = np.stack([logits[1:-1] for logits in found]).astype(np.float64)
    held = {
        "roc_auc": roc_auc(scores.ravel(), is_replaced.ravel()),
        "average_precision": average_precision(scores.ravel(), is_replaced.ravel()),
    }
    return StopRequest(), {
        "kind": "detection",
        "measure": "roc_auc",
        "scores": {"0": held},
        "spread": {name: vars(spread([value])) for name, value in held.items()},
        "baseline": {"roc_auc": 0.5, "average_precision": float(is_replaced.mean())},
        "train_examples": 0,
        "dev_examples": rows.size,
        "collapsed": [],
        "failed_seeds": [],
    }


def corrupted(corpus: Path, *, rows: int, length: int) -> tuple[Array, Array]:
    """Windows of held-out text with replaced tokens, and which these are: (rows, length) int64 and bool. Always the same.

    Fewer rows where the text has fewer. A token drawn for its own place stays, and does not count as replaced.
    """
    held_out, train = Corpus.open(corpus, "validation"), Corpus.open(corpus)
    count = min(rows, len(held_out.ids) // length)
    starts = np.linspace(0, len(held_out.ids) - length, count).astype(np.int64)
    original = held_out.ids[starts[:, None] + np.arange(length)].astype(np.int64)
    frequency = np.bincount(train.ids, minlength=train.vocab_size).astype(np.float64)
    frequency[list(train.special_ids.values())] = 0
    rng = np.random.default_rng(0)
    drawn = rng.choice(len(frequency), size=original.shape, p=frequency / frequency.sum())
    ids = np.where(rng.random(original.shape) < SHARE, drawn, original)
    return ids, ids != original


def unlikeliness(network: Network, rows: Array, *, is_masked: bool) -> Array:
    """-log p of each token of each row (rows, length), the token itself masked or not."""
    mask, places = network.tokenizer.mask_token_id, np.arange(rows.shape[1])
    found = np.empty(rows.shape, np.float64)
    for number, ids in enumerate(rows):
        asked = np.tile(network.row(ids), (len(places), 1))
        if is_masked:
            asked[places, places + 1] = mask
        answers = network.tokens(list(asked), (places + 1).tolist())  # (length, V)
        found[number] = -answers[places, ids]
    return found
