import tensorflow as tf

from electra import ElectraConfig, TFElectraForMaskedLM

model = TFElectraForMaskedLM(ElectraConfig.tiny().generator())
input_ids = tf.constant([[2, 11, 4, 13, 3]])  # 4 is [MASK]
labels = tf.constant([[-100, -100, 12, -100, -100]])  # asked at the masked position only
output = model(input_ids, labels=labels)
proposals = tf.math.top_k(output.logits[0, 2], k=3).indices
print(tuple(output.logits.shape), tuple(proposals.shape))
