"""Which of these words don't belong? The discriminator's answer for each token, and what the generator would have written.

Unusual here: a text is also shown to the generator, with each suspicious token hidden in turn, where a generator is at hand.
"""

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from electra.errors import InputError, WeightsError, install_hint
from electra.tokenization import load_tokenizer
from electra.training.run import find_model
from electra.weights.matching import NewWeightsWarning


@dataclass(frozen=True, kw_only=True)
class InspectedToken:
    """One token: its text, the characters it covers, the probability that it was replaced, and proposals for its place."""

    token: str
    start: int
    end: int
    replaced: float
    proposals: tuple[tuple[str, float], ...] = ()  # the generator's tokens with their probabilities, best first


@dataclass(frozen=True, kw_only=True)
class InspectedText:
    """A text with its tokens, special ones left out."""

    text: str
    tokens: tuple[InspectedToken, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `electra inspect --json` prints them."""
        return asdict(self)


class Inspector:
    """A discriminator, and a generator where one is at hand, ready to look at texts."""

    def __init__(self, model: Path) -> None:
        try:
            from electra.torch import ElectraForMaskedLM, ElectraForPreTraining
        except ImportError as error:
            if error.name != "torch":
                raise
            raise install_hint("torch", "torch", "electra inspect") from None
        folder, generator = find_model(model, "discriminator"), find_model(model, "generator")
        self.tokenizer = load_tokenizer(folder)
        self.discriminator = _trained(ElectraForPreTraining, folder).eval()
        has_generator = (generator / "config.json").is_file() and generator != folder and generator != Path(model)
        self.generator = _trained(ElectraForMaskedLM, generator).eval() if has_generator else None

    def inspect(self, text: str, *, threshold: float = 0.5, proposals: int = 3) -> InspectedText:
        """Judge each token; propose others for those above `threshold`, or for the most suspicious where none is.

        Raises InputError where the text is longer than the model reads.
        """
        encoded = self.tokenizer(text, return_offsets_mapping=True)
        ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
        limit = self.discriminator.config.max_position_embeddings
        if len(ids) > limit:
            raise InputError(f"the text has {len(ids)} tokens, the model reads {limit}; inspect it in shorter pieces")
        probabilities = self._probabilities(ids)
        inner = [i for i, (start, end) in enumerate(offsets) if end > start]
        most_suspicious = sorted(inner, key=lambda i: -probabilities[i])[:1]  # none in a text without tokens
        flagged = [i for i in inner if probabilities[i] > threshold] or most_suspicious
        proposed = {i: self._propose(ids, i, proposals) for i in flagged}
        tokens = tuple(
            InspectedToken(
                token=self.tokenizer.convert_ids_to_tokens(ids[i]),
                start=offsets[i][0],
                end=offsets[i][1],
                replaced=float(probabilities[i]),
                proposals=proposed.get(i, ()),
            )
            for i in inner
        )
        return InspectedText(text=text, tokens=tokens)

    def _probabilities(self, ids: Sequence[int]) -> np.ndarray:
        import torch

        with torch.no_grad():
            logits = self.discriminator(torch.tensor([list(ids)])).logits[0]
        return torch.sigmoid(logits).numpy()

    def _propose(self, ids: Sequence[int], position: int, count: int) -> tuple[tuple[str, float], ...]:
        if self.generator is None or not count:
            return ()
        import torch

        hidden = torch.tensor([list(ids)])
        hidden[0, position] = self.tokenizer.mask_token_id
        with torch.no_grad():
            best = torch.softmax(self.generator(hidden).logits[0, position], -1).topk(count)
        names = self.tokenizer.convert_ids_to_tokens(best.indices.tolist())
        return tuple(zip(names, best.values.tolist(), strict=True))


def _trained(kind: Any, folder: Path) -> Any:
    """A model of this class with all of its weights: a head that starts at random would answer nonsense."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", NewWeightsWarning)
        try:
            return kind.from_pretrained(folder)
        except NewWeightsWarning as warning:
            raise WeightsError(f"{kind.__name__} cannot answer without its head: {warning}") from None
