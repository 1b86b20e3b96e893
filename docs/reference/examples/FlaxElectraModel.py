import numpy as np

from electra import ElectraConfig, FlaxElectraModel

model = FlaxElectraModel(ElectraConfig.tiny())
input_ids = np.array([[2, 11, 12, 13, 3], [2, 14, 3, 0, 0]])
output = model(input_ids, attention_mask=input_ids != 0, output_hidden_states=True)
print(output.last_hidden_state.shape, len(output.hidden_states))  # the embeddings and two layers
print(model.num_parameters(), list(model.params))
