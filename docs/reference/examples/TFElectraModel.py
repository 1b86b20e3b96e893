import numpy as np

from electra import ElectraConfig, TFElectraModel

model = TFElectraModel(ElectraConfig.tiny())
input_ids = np.array([[2, 11, 12, 13, 3], [2, 14, 3, 0, 0]])
attention_mask = (input_ids != 0).astype(int)
output = model({"input_ids": input_ids, "attention_mask": attention_mask}, output_hidden_states=True)
print(tuple(output.last_hidden_state.shape), len(output.hidden_states))  # the embeddings and two layers
print(model.num_parameters())
