"""The original's two-tower generator and its energy-based objective, put together from our encoder and our objective.

Two causal encoders read the text left to right and right to left, unmasked; a word is predicted from the state before it
and the state after it (Clark et al., 2020, "Pre-Training Transformers as Energy-Based Cloze Models"). What these cases add
to the others: attention masked per pair of positions, and an objective fed by another generator than a masked one.
"""

import numpy as np
import pytest
import torch
from original import Case, state_dict
from torch import nn
from torch.nn import functional

from electra.batch import map_arrays
from electra.objective import electra_loss
from electra.torch import ElectraForPreTraining, ElectraModel, ops
from electra.torch.optim import Adam
from electra.training.metrics import Observed, as_shipped


class TwoTowers(nn.Module):
    """Logits (B, L, V) for every position from all the others. The embeddings are the discriminator's."""

    def __init__(self, case, shared):
        super().__init__()
        config, variables = case.network("generator"), case.arrays["weights"]
        self.left, self.right = ElectraModel(config).eval(), ElectraModel(config).eval()
        for tower, scope in ((self.left, "generator_ltr"), (self.right, "generator_rtl")):
            own = state_dict(variables, scope) | embeddings(variables)
            names = {f"electra.{name}": name for name in tower.state_dict()}
            tower.load_state_dict({name: torch.tensor(own[full]) for full, name in names.items()})
            tower.embeddings = shared
        self.dense = nn.Linear(2 * config.hidden_size, config.embedding_size)
        self.LayerNorm = nn.LayerNorm(config.embedding_size, eps=1e-12)
        self.output_bias = nn.Parameter(torch.zeros(config.vocab_size))
        head = {name: value for name, value in state_dict(variables, "electra").items() if "cloze" in name}
        head = {name.removeprefix("cloze_predictions."): torch.tensor(value) for name, value in head.items()}
        assert not self.load_state_dict(head, strict=False).unexpected_keys
        assert len(head) == 5

    def states(self, input_ids, batch):
        """Both towers' states (B, L, H); each position sees itself and what its tower has read."""
        causal = torch.ones(input_ids.shape[1], input_ids.shape[1]).tril()
        real = batch.attention_mask[:, None, :]
        return [
            tower(input_ids, attention_mask=real * order, token_type_ids=batch.token_type_ids)[0]
            for tower, order in ((self.left, causal), (self.right, causal.T))
        ]

    def forward(self, input_ids, batch):
        left, right = self.states(input_ids, batch)
        both = torch.cat([left.roll(1, 1), right.roll(-1, 1)], -1)  # the states before and after each position
        hidden = self.LayerNorm(functional.gelu(self.dense(both)))
        return hidden @ self.left.embeddings.word_embeddings.weight.T + self.output_bias


def embeddings(variables):
    return {name: value for name, value in state_dict(variables, "electra").items() if ".embeddings." in name}


class Parts:
    """A case with its networks and the outcome of our objective on its batch."""

    def __init__(self, name):
        self.case = case = Case(name)
        self.batch, self.masked = (map_arrays(value, torch.from_numpy) for value in (case.batch, case.masked))
        self.discriminator = ElectraForPreTraining(case.network("discriminator")).eval()
        state = state_dict(case.arrays["weights"], "electra")
        self.discriminator.load_state_dict({n: torch.tensor(state[n]) for n in self.discriminator.state_dict()})
        self.towers = TwoTowers(case, self.discriminator.electra.embeddings)
        self.compute()

    def compute(self):
        """Everything up to the discriminator's logits, with the weights of now."""
        self.logits = self.towers(self.batch.input_ids, self.batch)  # (B, L, V)
        self.outcome = electra_loss(
            lambda _, __, positions: self.logits.gather(1, positions.long()[..., None].expand(-1, -1, 1000)),
            self.judge, self.batch, self.masked, self.case.settings, ops,
        )  # fmt: skip

    def parameters(self):
        """Every trained tensor once, by name."""
        named = {p: name for part in (self.towers, self.discriminator) for name, p in part.named_parameters()}
        return {f"{i}.{name}": p for i, (p, name) in enumerate(named.items())}

    def noise(self):
        """log q (B, L) of what stands in the corrupted text, each position given the original others."""
        return ops.take(self.logits.log_softmax(-1), self.outcome.corrupted_ids)

    def losses(self):
        """The discriminator's and the total."""
        logits, labels = judged(self)
        loss = ops.binary_cross_entropy(logits, labels.float())[self.batch.attention_mask > 0].mean()
        settings = self.case.settings
        return loss, settings.generator_weight * self.cloze_loss() + settings.discriminator_weight * loss

    def judge(self, input_ids, batch):
        mask, types = batch.attention_mask, batch.token_type_ids
        return self.discriminator(input_ids, attention_mask=mask, token_type_ids=types).logits

    def cloze_loss(self):
        """The likelihood of every word that may be replaced, which is what trains the towers."""
        special = torch.tensor([self.case.special_ids[name] for name in ("cls", "sep", "mask")])
        weights = self.batch.attention_mask * ~torch.isin(self.batch.input_ids, special)
        errors = -ops.take(self.logits.log_softmax(-1), self.batch.input_ids)
        return (errors * weights).sum() / weights.sum()


@pytest.fixture(scope="module", params=["two_towers", "electric"])
def parts(request):
    return Parts(request.param)


def close(ours, theirs, atol=2e-5):
    np.testing.assert_allclose(np.asarray(ours.detach()), theirs, atol=atol, rtol=1e-4)


def test_causal_encoders_and_the_cloze_equal_the_originals(parts):
    goldens, real = parts.case.goldens, parts.case.batch.attention_mask > 0
    left, right = parts.towers.states(parts.batch.input_ids, parts.batch)
    close(left[real], goldens["generator_ltr_sequence_output"][real])
    close(right[real], goldens["generator_rtl_sequence_output"][real])
    used = parts.case.masked.weights > 0
    theirs = torch.log_softmax(torch.from_numpy(goldens["mlm_logits"]), -1)
    close(parts.outcome.mlm_log_probabilities[used], theirs[used])
    assert parts.cloze_loss().item() == pytest.approx(float(goldens["cloze_loss"]), rel=1e-5)
    assert parts.outcome.mlm_loss.item() == pytest.approx(float(goldens["mlm_loss"]), rel=1e-5)


def test_sampled_and_corrupted_ids_equal_the_originals(parts):
    goldens, used = parts.case.goldens, parts.case.masked.weights > 0
    np.testing.assert_array_equal(parts.outcome.sampled_ids.numpy()[used], goldens["sampled_ids"][used])
    np.testing.assert_array_equal(parts.outcome.corrupted_ids.numpy(), goldens["updated_input_ids"])
    close(parts.noise(), goldens["cloze_log_prob_of_updated_inputs"], atol=1e-4)


def judged(parts):
    """Logits (B, L) and labels as the case's objective has them."""
    if parts.case.name == "two_towers":
        return parts.outcome.discriminator_logits, parts.outcome.is_replaced
    share = parts.case.settings.mask_probability
    drawn = torch.zeros_like(parts.outcome.corrupted_ids)
    drawn.scatter_add_(
        1, torch.tensor(parts.case.masked.positions).long(), torch.tensor(parts.case.masked.weights).int()
    )
    return parts.outcome.discriminator_logits + parts.noise().detach() + np.log(share / (1 - share)), drawn > 0


def test_the_discriminator_and_all_losses_equal_the_originals(parts):
    goldens, real = parts.case.goldens, parts.batch.attention_mask > 0
    logits, labels = judged(parts)
    np.testing.assert_array_equal(labels.numpy(), goldens["disc_labels"] > 0)
    close(logits[real], goldens["disc_logits"][real], atol=1e-4)
    loss, total = parts.losses()
    assert loss.item() == pytest.approx(float(goldens["disc_loss"]), rel=2e-5)
    assert total.item() == pytest.approx(float(goldens["total_loss"]), rel=2e-5)


@pytest.mark.parametrize("run", ["fresh", "fresh_rate_of_next_step"])
@pytest.mark.parametrize("name", ["two_towers", "electric"])
def test_twelve_updates_follow_the_original_step_by_step(name, run):
    parts = Parts(name)
    facts = next(r for r in parts.case.facts["lockstep"] if r["name"] == run)
    parameters = parts.parameters()
    optimizer = Adam(parameters, weight_decay=facts["optimizer"]["weight_decay_rate"], epsilon=1e-6)
    for count, entry in enumerate(facts["trace"], start=1):
        parts.compute()
        loss, total = parts.losses()
        total.backward()
        norm = optimizer.gradient_norm()
        # float32 on both sides, and each step builds on the last: the difference grows to a few in 100,000
        assert parts.outcome.mlm_loss.item() == pytest.approx(entry["mlm_loss"], rel=5e-5), count
        assert parts.cloze_loss().item() == pytest.approx(entry["cloze_loss"], rel=5e-5), count
        assert loss.item() == pytest.approx(entry["disc_loss"], rel=1e-4), count
        assert norm.item() == pytest.approx(entry["gradient_global_norm"], rel=2e-4), count
        optimizer.update(learning_rate=entry["rate"], norm=norm, clip_norm=1.0)


def test_evaluation_as_shipped_gives_the_originals_numbers(parts):
    masked = parts.case.masked
    logits, labels = judged(parts)
    chances = parts.outcome.mlm_log_probabilities
    found = as_shipped([Observed(
        mlm_errors=-ops.take(chances, torch.tensor(masked.original_ids)).detach().numpy(), mlm_ids=ops.argmax(chances).numpy(),
        original_ids=masked.original_ids, weights=masked.weights, real=parts.case.batch.attention_mask,
        sampled_ids=parts.outcome.sampled_ids.numpy(), logits=logits.detach().numpy(), is_replaced=labels.numpy(),
    )])  # fmt: skip
    for name, expected in parts.case.facts["eval_metrics"].items():
        assert found[name] == pytest.approx(expected, abs=2e-5), name
