import jax.numpy as jnp
import numpy as np

from electra import ElectraConfig, FlaxElectraForQuestionAnswering

model = FlaxElectraForQuestionAnswering(ElectraConfig.tiny(), dtype=jnp.bfloat16)  # parameters stay float32
output = model(np.array([[2, 11, 12, 3, 21, 22, 23, 3]]))  # [CLS] question [SEP] text [SEP]
print(output.start_logits.shape, output.end_logits.shape, output.start_logits.dtype)
