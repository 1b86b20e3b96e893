import jax
import numpy as np

from electra import ElectraConfig, FlaxElectraForPreTraining, losses
from electra.flax import ops

model = FlaxElectraForPreTraining(ElectraConfig.tiny())  # random weights; from_pretrained(folder) reads trained ones
input_ids, labels = np.array([[2, 11, 12, 13, 3]]), np.array([[0, 0, 1, 0, 0]])  # the third token was replaced


@jax.jit
def loss(params):
    logits = model(input_ids, params=params).logits
    return losses.replaced_token_cross_entropy(logits, labels, None, ops)


gradients = jax.grad(loss)(model.params)
print(loss(model.params).shape, list(gradients))
