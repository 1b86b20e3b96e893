import tensorflow as tf

from electra import ElectraConfig, TFElectraForMultipleChoice

model = TFElectraForMultipleChoice(ElectraConfig.tiny())
input_ids = tf.constant([[[2, 11, 3, 12, 3], [2, 11, 3, 13, 3], [2, 11, 3, 14, 3]]])  # one question, three choices
output = model(input_ids, labels=tf.constant([2]))
print(tuple(output.logits.shape), tuple(output.loss.shape))
