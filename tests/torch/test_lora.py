"""LoRA by the names of modules, with peft, on a real encoder."""

import pytest
import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model

from electra import ElectraForSequenceClassification, ElectraTokenizerFast
from electra.weights.matching import NewWeightsWarning

GOOD = ["wonderful", "delightful", "charming", "brilliant", "moving", "superb"]
BAD = ["dreadful", "boring", "clumsy", "awful", "tedious", "lifeless"]
THINGS = ["story", "cast", "music", "ending", "dialogue", "photography"]


def load(folder):
    with pytest.warns(NewWeightsWarning, match="classifier"):
        return ElectraForSequenceClassification.from_pretrained(folder, num_labels=2)


@pytest.fixture(scope="module")
def trained(real_encoder):
    """The model after 20 updates of its low-rank matrices and its new head, the weights it began with, and the losses."""
    torch.manual_seed(0)
    base = load(real_encoder)
    first = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    model = get_peft_model(base, LoraConfig(task_type=TaskType.SEQ_CLS, r=4, target_modules=["query", "value"]))
    inputs, labels = batch(real_encoder)
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=3e-3)
    losses = []
    for _ in range(20):
        loss = model(**inputs, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return model.eval(), first, losses


def batch(folder):
    texts = [f"The {thing} was {word}." for words in (BAD, GOOD) for word in words for thing in THINGS[:3]]
    inputs = ElectraTokenizerFast.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    return inputs, torch.tensor([0, 1]).repeat_interleave(len(texts) // 2)


def test_it_learns_through_a_hundredth_of_the_weights(trained, real_encoder):
    model, first, losses = trained
    assert losses[-1] < 0.3 * losses[0]
    learned = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert learned < 0.011 * sum(p.numel() for p in model.parameters())
    for name, tensor in model.get_base_model().state_dict().items():
        plain = name.replace(".base_layer", "").replace(".original_module", "")
        if "lora_" not in name and "modules_to_save" not in name:
            assert torch.equal(tensor, first[plain]), name


def test_it_knows_words_it_was_not_shown(trained, real_encoder):
    tokenizer = ElectraTokenizerFast.from_pretrained(real_encoder)
    inputs = tokenizer(["The plot was terrible.", "The acting was excellent."], padding=True, return_tensors="pt")
    with torch.no_grad():
        assert trained[0](**inputs).logits.argmax(-1).tolist() == [0, 1]


def test_the_adapter_is_saved_loaded_and_merged(trained, real_encoder, tmp_path):
    model, _, _ = trained
    inputs, _ = batch(real_encoder)
    with torch.no_grad():
        expected = model(**inputs).logits
        model.save_pretrained(tmp_path / "adapter")
        again = PeftModel.from_pretrained(load(real_encoder), tmp_path / "adapter").eval()
        # Not to the last bit: of the last layer 24 rows are worked out, and so few may be added up in another order (2e-6 seen).
        torch.testing.assert_close(again(**inputs).logits, expected, rtol=0, atol=1e-5)
        merged = again.merge_and_unload()
        merged.save_pretrained(tmp_path / "merged")
        plain = ElectraForSequenceClassification.from_pretrained(tmp_path / "merged")
        torch.testing.assert_close(plain(**inputs).logits, expected, rtol=0, atol=1e-4)
