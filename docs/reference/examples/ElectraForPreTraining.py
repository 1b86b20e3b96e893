import torch

from electra import ElectraConfig, ElectraForPreTraining

model = ElectraForPreTraining(ElectraConfig.tiny()).eval()  # random weights; from_pretrained(folder) reads trained ones
input_ids = torch.tensor([[2, 11, 12, 13, 3]])
output = model(input_ids, labels=torch.tensor([[0, 0, 1, 0, 0]]))  # the third token was replaced
probabilities = torch.sigmoid(output.logits)
print(tuple(probabilities.shape), tuple(output.loss.shape))
