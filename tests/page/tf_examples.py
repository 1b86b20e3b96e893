"""The TensorFlow examples of the documentation page of Hugging Face's ELECTRA; those of one class follow one another."""

EXAMPLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "TFElectraModel": (
        """
from transformers import AutoTokenizer, TFElectraModel
import tensorflow as tf
tokenizer = AutoTokenizer.from_pretrained("google/electra-small-discriminator")
model = TFElectraModel.from_pretrained("google/electra-small-discriminator")
inputs = tokenizer("Hello, my dog is cute", return_tensors="tf")
outputs = model(inputs)
last_hidden_states = outputs.last_hidden_state
""",
        ("last_hidden_states",),
    ),
    "TFElectraForPreTraining": (
        """
import tensorflow as tf
from transformers import AutoTokenizer, TFElectraForPreTraining
tokenizer = AutoTokenizer.from_pretrained("google/electra-small-discriminator")
model = TFElectraForPreTraining.from_pretrained("google/electra-small-discriminator")
input_ids = tf.constant(tokenizer.encode("Hello, my dog is cute"))[None, :]
outputs = model(input_ids)
scores = outputs[0]
""",
        ("scores",),
    ),
    "TFElectraForMaskedLM": (
        """
from transformers import AutoTokenizer, TFElectraForMaskedLM
import tensorflow as tf
tokenizer = AutoTokenizer.from_pretrained("google/electra-small-generator")
model = TFElectraForMaskedLM.from_pretrained("google/electra-small-generator")
inputs = tokenizer("The capital of France is [MASK].", return_tensors="tf")
logits = model(**inputs).logits
mask_token_index = tf.where((inputs.input_ids == tokenizer.mask_token_id)[0])
selected_logits = tf.gather_nd(logits[0], indices=mask_token_index)
predicted_token_id = tf.math.argmax(selected_logits, axis=-1)
prediction = tokenizer.decode(predicted_token_id)
labels = tokenizer("The capital of France is Paris.", return_tensors="tf")["input_ids"]
labels = tf.where(inputs.input_ids == tokenizer.mask_token_id, labels, -100)
outputs = model(**inputs, labels=labels)
loss = round(float(outputs.loss), 2)
""",
        ("prediction", "loss"),
    ),
    "TFElectraForSequenceClassification": (
        """
from transformers import AutoTokenizer, TFElectraForSequenceClassification
import tensorflow as tf
tokenizer = AutoTokenizer.from_pretrained("bhadresh-savani/electra-base-emotion")
model = TFElectraForSequenceClassification.from_pretrained("bhadresh-savani/electra-base-emotion")
inputs = tokenizer("Hello, my dog is cute", return_tensors="tf")
logits = model(**inputs).logits
predicted_class_id = int(tf.math.argmax(logits, axis=-1)[0])
predicted_label = model.config.id2label[predicted_class_id]
num_labels = len(model.config.id2label)
model = TFElectraForSequenceClassification.from_pretrained("bhadresh-savani/electra-base-emotion", num_labels=num_labels)
labels = tf.constant(1)
loss = model(**inputs, labels=labels).loss
loss = round(float(loss), 2)
""",
        ("logits", "predicted_label", "loss"),
    ),
    "TFElectraForMultipleChoice": (
        """
from transformers import AutoTokenizer, TFElectraForMultipleChoice
import tensorflow as tf
tokenizer = AutoTokenizer.from_pretrained("google/electra-small-discriminator")
model = TFElectraForMultipleChoice.from_pretrained("google/electra-small-discriminator")
prompt = "In Italy, pizza served in formal settings, such as at a restaurant, is presented unsliced."
choice0 = "It is eaten with a fork and a knife."
choice1 = "It is eaten while held in the hand."
encoding = tokenizer([prompt, prompt], [choice0, choice1], return_tensors="tf", padding=True)
inputs = {k: tf.expand_dims(v, 0) for k, v in encoding.items()}
outputs = model(inputs)
logits = outputs.logits
shape = tuple(logits.shape)
""",
        ("shape",),
    ),
    "TFElectraForTokenClassification": (
        """
from transformers import AutoTokenizer, TFElectraForTokenClassification
import tensorflow as tf
tokenizer = AutoTokenizer.from_pretrained("bhadresh-savani/electra-base-discriminator-finetuned-conll03-english")
model = TFElectraForTokenClassification.from_pretrained("bhadresh-savani/electra-base-discriminator-finetuned-conll03-english")
inputs = tokenizer(
    "HuggingFace is a company based in Paris and New York", add_special_tokens=False, return_tensors="tf"
)
logits = model(**inputs).logits
predicted_token_class_ids = tf.math.argmax(logits, axis=-1)
predicted_tokens_classes = [model.config.id2label[t] for t in predicted_token_class_ids[0].numpy().tolist()]
labels = predicted_token_class_ids
loss = tf.math.reduce_mean(model(**inputs, labels=labels).loss)
loss = round(float(loss), 2)
""",
        ("predicted_tokens_classes", "loss"),
    ),
    "TFElectraForQuestionAnswering": (
        """
from transformers import AutoTokenizer, TFElectraForQuestionAnswering
import tensorflow as tf
tokenizer = AutoTokenizer.from_pretrained("bhadresh-savani/electra-base-squad2")
model = TFElectraForQuestionAnswering.from_pretrained("bhadresh-savani/electra-base-squad2")
question, text = "Who was Jim Henson?", "Jim Henson was a nice puppet"
inputs = tokenizer(question, text, return_tensors="tf")
outputs = model(**inputs)
answer_start_index = int(tf.math.argmax(outputs.start_logits, axis=-1)[0])
answer_end_index = int(tf.math.argmax(outputs.end_logits, axis=-1)[0])
predict_answer_tokens = inputs.input_ids[0, answer_start_index : answer_end_index + 1]
answer = tokenizer.decode(predict_answer_tokens)
target_start_index = tf.constant([11])
target_end_index = tf.constant([12])
outputs = model(**inputs, start_positions=target_start_index, end_positions=target_end_index)
loss = tf.math.reduce_mean(outputs.loss)
loss = round(float(loss), 2)
""",
        ("answer_start_index", "answer_end_index", "answer", "loss"),
    ),
}
