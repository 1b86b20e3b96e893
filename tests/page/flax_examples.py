"""The Flax examples of the documentation page of Hugging Face's ELECTRA; those of one class follow one another."""

EXAMPLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "FlaxElectraModel": (
        """
from transformers import AutoTokenizer, FlaxElectraModel
tokenizer = AutoTokenizer.from_pretrained("google/electra-small-discriminator")
model = FlaxElectraModel.from_pretrained("google/electra-small-discriminator")
inputs = tokenizer("Hello, my dog is cute", return_tensors="jax")
outputs = model(**inputs)
last_hidden_states = outputs.last_hidden_state
""",
        ("last_hidden_states",),
    ),
    "FlaxElectraForPreTraining": (
        """
from transformers import AutoTokenizer, FlaxElectraForPreTraining
tokenizer = AutoTokenizer.from_pretrained("google/electra-small-discriminator")
model = FlaxElectraForPreTraining.from_pretrained("google/electra-small-discriminator")
inputs = tokenizer("Hello, my dog is cute", return_tensors="np")
outputs = model(**inputs)
prediction_logits = outputs.logits
""",
        ("prediction_logits",),
    ),
    "FlaxElectraForCausalLM": (
        """
from transformers import AutoTokenizer, FlaxElectraForCausalLM
tokenizer = AutoTokenizer.from_pretrained("google/electra-small-discriminator")
model = FlaxElectraForCausalLM.from_pretrained("google/electra-small-discriminator")
inputs = tokenizer("Hello, my dog is cute", return_tensors="np")
outputs = model(**inputs)
next_token_logits = outputs.logits[:, -1]
shape = tuple(next_token_logits.shape)
""",
        ("shape",),
    ),
    "FlaxElectraForMaskedLM": (
        """
from transformers import AutoTokenizer, FlaxElectraForMaskedLM
tokenizer = AutoTokenizer.from_pretrained("google/electra-small-discriminator")
model = FlaxElectraForMaskedLM.from_pretrained("google/electra-small-discriminator")
inputs = tokenizer("The capital of France is [MASK].", return_tensors="jax")
outputs = model(**inputs)
logits = outputs.logits
shape = tuple(logits.shape)
""",
        ("shape",),
    ),
    "FlaxElectraForSequenceClassification": (
        """
from transformers import AutoTokenizer, FlaxElectraForSequenceClassification
tokenizer = AutoTokenizer.from_pretrained("google/electra-small-discriminator")
model = FlaxElectraForSequenceClassification.from_pretrained("google/electra-small-discriminator")
inputs = tokenizer("Hello, my dog is cute", return_tensors="jax")
outputs = model(**inputs)
logits = outputs.logits
shape = tuple(logits.shape)
""",
        ("shape",),
    ),
    "FlaxElectraForMultipleChoice": (
        """
from transformers import AutoTokenizer, FlaxElectraForMultipleChoice
tokenizer = AutoTokenizer.from_pretrained("google/electra-small-discriminator")
model = FlaxElectraForMultipleChoice.from_pretrained("google/electra-small-discriminator")
prompt = "In Italy, pizza served in formal settings, such as at a restaurant, is presented unsliced."
choice0 = "It is eaten with a fork and a knife."
choice1 = "It is eaten while held in the hand."
encoding = tokenizer([prompt, prompt], [choice0, choice1], return_tensors="jax", padding=True)
outputs = model(**{k: v[None, :] for k, v in encoding.items()})
logits = outputs.logits
shape = tuple(logits.shape)
""",
        ("shape",),
    ),
    "FlaxElectraForTokenClassification": (
        """
from transformers import AutoTokenizer, FlaxElectraForTokenClassification
tokenizer = AutoTokenizer.from_pretrained("google/electra-small-discriminator")
model = FlaxElectraForTokenClassification.from_pretrained("google/electra-small-discriminator")
inputs = tokenizer("Hello, my dog is cute", return_tensors="jax")
outputs = model(**inputs)
logits = outputs.logits
shape = tuple(logits.shape)
""",
        ("shape",),
    ),
    "FlaxElectraForQuestionAnswering": (
        """
from transformers import AutoTokenizer, FlaxElectraForQuestionAnswering
tokenizer = AutoTokenizer.from_pretrained("google/electra-small-discriminator")
model = FlaxElectraForQuestionAnswering.from_pretrained("google/electra-small-discriminator")
question, text = "Who was Jim Henson?", "Jim Henson was a nice puppet"
inputs = tokenizer(question, text, return_tensors="jax")
outputs = model(**inputs)
start_scores = outputs.start_logits
end_scores = outputs.end_logits
shape = tuple(start_scores.shape), tuple(end_scores.shape)
""",
        ("shape",),
    ),
}
