"""The PyTorch examples of the documentation page of Hugging Face's ELECTRA, as a user would paste them.

Each is a program; the names after it are what it leaves behind and what a test compares. Checkpoints are named as on the
hub and found as folders of the working directory.
"""

EXAMPLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "ElectraConfig": (
        """
from transformers import ElectraConfig, ElectraModel
configuration = ElectraConfig()
model = ElectraModel(configuration)
configuration = model.config
hidden_size = configuration.hidden_size
""",
        ("hidden_size",),
    ),
    "ElectraModel": (
        """
from transformers import AutoTokenizer, ElectraModel
import torch
tokenizer = AutoTokenizer.from_pretrained("google/electra-small-discriminator")
model = ElectraModel.from_pretrained("google/electra-small-discriminator")
inputs = tokenizer("Hello, my dog is cute", return_tensors="pt")
outputs = model(**inputs)
last_hidden_states = outputs.last_hidden_state
""",
        ("last_hidden_states",),
    ),
    "ElectraForPreTraining": (
        """
from transformers import ElectraForPreTraining, AutoTokenizer
import torch
discriminator = ElectraForPreTraining.from_pretrained("google/electra-base-discriminator")
tokenizer = AutoTokenizer.from_pretrained("google/electra-base-discriminator")
sentence = "The quick brown fox jumps over the lazy dog"
fake_sentence = "The quick brown fox fake over the lazy dog"
fake_tokens = tokenizer.tokenize(fake_sentence, add_special_tokens=True)
fake_inputs = tokenizer.encode(fake_sentence, return_tensors="pt")
discriminator_outputs = discriminator(fake_inputs)
predictions = torch.round((torch.sign(discriminator_outputs[0]) + 1) / 2)
predictions = predictions.squeeze().tolist()
""",
        ("fake_tokens", "fake_inputs", "predictions"),
    ),
    "ElectraForCausalLM": (
        """
from transformers import AutoTokenizer, ElectraForCausalLM, ElectraConfig
import torch
tokenizer = AutoTokenizer.from_pretrained("google/electra-base-generator")
config = ElectraConfig.from_pretrained("google/electra-base-generator")
config.is_decoder = True
model = ElectraForCausalLM.from_pretrained("google/electra-base-generator", config=config)
inputs = tokenizer("Hello, my dog is cute", return_tensors="pt")
outputs = model(**inputs)
prediction_logits = outputs.logits
""",
        ("prediction_logits",),
    ),
    "ElectraForMaskedLM": (
        """
from transformers import AutoTokenizer, ElectraForMaskedLM
import torch
tokenizer = AutoTokenizer.from_pretrained("google/electra-small-generator")
model = ElectraForMaskedLM.from_pretrained("google/electra-small-generator")
inputs = tokenizer("The capital of France is [MASK].", return_tensors="pt")
with torch.no_grad():
    logits = model(**inputs).logits
# retrieve index of [MASK]
mask_token_index = (inputs.input_ids == tokenizer.mask_token_id)[0].nonzero(as_tuple=True)[0]
predicted_token_id = logits[0, mask_token_index].argmax(axis=-1)
prediction = tokenizer.decode(predicted_token_id)
labels = tokenizer("The capital of France is Paris.", return_tensors="pt")["input_ids"]
# mask labels of non-[MASK] tokens
labels = torch.where(inputs.input_ids == tokenizer.mask_token_id, labels, -100)
outputs = model(**inputs, labels=labels)
loss = round(outputs.loss.item(), 2)
""",
        ("mask_token_index", "prediction", "labels", "loss"),
    ),
    "ElectraForSequenceClassification": (
        """
import torch
from transformers import AutoTokenizer, ElectraForSequenceClassification
tokenizer = AutoTokenizer.from_pretrained("bhadresh-savani/electra-base-emotion")
model = ElectraForSequenceClassification.from_pretrained("bhadresh-savani/electra-base-emotion")
inputs = tokenizer("Hello, my dog is cute", return_tensors="pt")
with torch.no_grad():
    logits = model(**inputs).logits
predicted_class_id = logits.argmax().item()
predicted_label = model.config.id2label[predicted_class_id]
# To train a model on `num_labels` classes, you can pass `num_labels=num_labels` to `.from_pretrained(...)`
num_labels = len(model.config.id2label)
model = ElectraForSequenceClassification.from_pretrained("bhadresh-savani/electra-base-emotion", num_labels=num_labels)
labels = torch.tensor([1])
loss = model(**inputs, labels=labels).loss
loss = round(loss.item(), 2)
""",
        ("logits", "predicted_label", "loss"),
    ),
    "ElectraForSequenceClassification, several labels": (
        """
import torch
from transformers import AutoTokenizer, ElectraForSequenceClassification
tokenizer = AutoTokenizer.from_pretrained("bhadresh-savani/electra-base-emotion")
model = ElectraForSequenceClassification.from_pretrained("bhadresh-savani/electra-base-emotion", problem_type="multi_label_classification")
inputs = tokenizer("Hello, my dog is cute", return_tensors="pt")
with torch.no_grad():
    logits = model(**inputs).logits
predicted_class_ids = torch.arange(0, logits.shape[-1])[torch.sigmoid(logits).squeeze(dim=0) > 0.5]
# To train a model on `num_labels` classes, you can pass `num_labels=num_labels` to `.from_pretrained(...)`
num_labels = len(model.config.id2label)
model = ElectraForSequenceClassification.from_pretrained(
    "bhadresh-savani/electra-base-emotion", num_labels=num_labels, problem_type="multi_label_classification"
)
labels = torch.sum(
    torch.nn.functional.one_hot(predicted_class_ids[None, :].clone(), num_classes=num_labels), dim=1
).to(torch.float)
loss = model(**inputs, labels=labels).loss
""",
        ("predicted_class_ids", "labels", "loss"),
    ),
    "ElectraForMultipleChoice": (
        """
from transformers import AutoTokenizer, ElectraForMultipleChoice
import torch
tokenizer = AutoTokenizer.from_pretrained("google/electra-small-discriminator")
model = ElectraForMultipleChoice.from_pretrained("google/electra-small-discriminator")
prompt = "In Italy, pizza served in formal settings, such as at a restaurant, is presented unsliced."
choice0 = "It is eaten with a fork and a knife."
choice1 = "It is eaten while held in the hand."
labels = torch.tensor(0).unsqueeze(0)  # choice0 is correct (according to Wikipedia ;)), batch size 1
encoding = tokenizer([prompt, prompt], [choice0, choice1], return_tensors="pt", padding=True)
outputs = model(**{k: v.unsqueeze(0) for k, v in encoding.items()}, labels=labels)  # batch size is 1
# the linear classifier still needs to be trained
loss = outputs.loss
logits = outputs.logits
ids, shape, is_scalar = encoding["input_ids"], tuple(logits.shape), loss.ndim == 0
""",
        ("ids", "shape", "is_scalar"),
    ),
    "ElectraForTokenClassification": (
        """
from transformers import AutoTokenizer, ElectraForTokenClassification
import torch
tokenizer = AutoTokenizer.from_pretrained("bhadresh-savani/electra-base-discriminator-finetuned-conll03-english")
model = ElectraForTokenClassification.from_pretrained("bhadresh-savani/electra-base-discriminator-finetuned-conll03-english")
inputs = tokenizer(
    "HuggingFace is a company based in Paris and New York", add_special_tokens=False, return_tensors="pt"
)
with torch.no_grad():
    logits = model(**inputs).logits
predicted_token_class_ids = logits.argmax(-1)
# Note that tokens are classified rather then input words which means that
# there might be more predicted token classes than words.
predicted_tokens_classes = [model.config.id2label[t.item()] for t in predicted_token_class_ids[0]]
labels = predicted_token_class_ids
loss = model(**inputs, labels=labels).loss
loss = round(loss.item(), 2)
""",
        ("predicted_tokens_classes", "loss"),
    ),
    "ElectraForQuestionAnswering": (
        """
from transformers import AutoTokenizer, ElectraForQuestionAnswering
import torch
tokenizer = AutoTokenizer.from_pretrained("bhadresh-savani/electra-base-squad2")
model = ElectraForQuestionAnswering.from_pretrained("bhadresh-savani/electra-base-squad2")
question, text = "Who was Jim Henson?", "Jim Henson was a nice puppet"
inputs = tokenizer(question, text, return_tensors="pt")
with torch.no_grad():
    outputs = model(**inputs)
answer_start_index = outputs.start_logits.argmax()
answer_end_index = outputs.end_logits.argmax()
predict_answer_tokens = inputs.input_ids[0, answer_start_index : answer_end_index + 1]
answer = tokenizer.decode(predict_answer_tokens, skip_special_tokens=True)
# target is "nice puppet"
target_start_index = torch.tensor([11])
target_end_index = torch.tensor([12])
outputs = model(**inputs, start_positions=target_start_index, end_positions=target_end_index)
loss = outputs.loss
loss = round(loss.item(), 2)
""",
        ("answer_start_index", "answer_end_index", "answer", "loss"),
    ),
}
