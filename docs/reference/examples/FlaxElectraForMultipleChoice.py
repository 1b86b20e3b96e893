import numpy as np

from electra import ElectraConfig, FlaxElectraForMultipleChoice

model = FlaxElectraForMultipleChoice(ElectraConfig.tiny())
input_ids = np.array([[[2, 11, 3, 12, 3], [2, 11, 3, 13, 3], [2, 11, 3, 14, 3]]])  # one question, three choices
print(model(input_ids).logits.shape)
