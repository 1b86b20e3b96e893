import jax
import numpy as np

from electra import ElectraConfig, FlaxElectraForMaskedLM

model = FlaxElectraForMaskedLM(ElectraConfig.tiny().generator())
output = model(np.array([[2, 11, 4, 13, 3]]))  # 4 is [MASK]
proposals = jax.lax.top_k(output.logits[0, 2], 3)[1]
print(output.logits.shape, proposals.shape)
