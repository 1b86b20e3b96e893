import jax
import numpy as np

from electra import ElectraConfig, FlaxElectraForSequenceClassification

model = FlaxElectraForSequenceClassification(ElectraConfig.tiny(id2label={0: "bad", 1: "good"}))
input_ids = np.array([[2, 11, 12, 3], [2, 13, 14, 3]])
plain = model(input_ids)
dropped = model(input_ids, train=True, dropout_rng=jax.random.key(0))
print(plain.logits.shape, bool((plain.logits == dropped.logits).all()))
