import tensorflow as tf

from electra import ElectraConfig, TFElectraForTokenClassification

labels = {0: "O", 1: "B-PER", 2: "I-PER"}
model = TFElectraForTokenClassification(ElectraConfig.tiny(id2label=labels))
input_ids = tf.constant([[2, 11, 12, 13, 3]])
output = model(input_ids, labels=tf.constant([[-100, 1, 2, 0, -100]]))  # special tokens do not count
print(tuple(output.logits.shape), tuple(output.loss.shape))
