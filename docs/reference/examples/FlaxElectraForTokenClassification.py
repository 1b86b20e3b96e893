import numpy as np

from electra import ElectraConfig, FlaxElectraForTokenClassification, losses
from electra.flax import ops

model = FlaxElectraForTokenClassification(ElectraConfig.tiny(id2label={0: "O", 1: "B-PER", 2: "I-PER"}))
output = model(np.array([[2, 11, 12, 13, 3]]))
loss = losses.cross_entropy(output.logits, np.array([[-100, 1, 2, 0, -100]]), ops)  # special tokens do not count
print(output.logits.shape, loss.shape)
