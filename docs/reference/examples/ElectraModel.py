import torch

from electra import ElectraConfig, ElectraModel

model = ElectraModel(ElectraConfig.tiny()).eval()
input_ids = torch.tensor([[2, 11, 12, 13, 3], [2, 14, 3, 0, 0]])
attention_mask = (input_ids != 0).long()
with torch.no_grad():
    output = model(input_ids, attention_mask, output_hidden_states=True)
print(tuple(output.last_hidden_state.shape), len(output.hidden_states))  # the embeddings and two layers
print(model.num_parameters())
