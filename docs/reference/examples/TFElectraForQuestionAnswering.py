import tensorflow as tf

from electra import ElectraConfig, TFElectraForQuestionAnswering

model = TFElectraForQuestionAnswering(ElectraConfig.tiny())
input_ids = tf.constant([[2, 11, 12, 3, 21, 22, 23, 3]])  # [CLS] question [SEP] text [SEP]
output = model(input_ids, start_positions=tf.constant([5]), end_positions=tf.constant([6]))
print(tuple(output.start_logits.shape), tuple(output.end_logits.shape), tuple(output.loss.shape))
