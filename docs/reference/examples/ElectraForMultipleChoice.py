import torch

from electra import ElectraConfig, ElectraForMultipleChoice

model = ElectraForMultipleChoice(ElectraConfig.tiny()).eval()
input_ids = torch.tensor([[[2, 11, 3, 12, 3], [2, 11, 3, 13, 3], [2, 11, 3, 14, 3]]])  # one question, three choices
output = model(input_ids, labels=torch.tensor([2]))
print(tuple(output.logits.shape), tuple(output.loss.shape))
