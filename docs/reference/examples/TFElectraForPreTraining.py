import tensorflow as tf

from electra import ElectraConfig, TFElectraForPreTraining

model = TFElectraForPreTraining(ElectraConfig.tiny())  # random weights; from_pretrained(folder) reads trained ones
input_ids = tf.constant([[2, 11, 12, 13, 3]])
output = model(input_ids, labels=tf.constant([[0, 0, 1, 0, 0]]))  # the third token was replaced
probabilities = tf.sigmoid(output.logits)
print(tuple(probabilities.shape), tuple(output.loss.shape))
