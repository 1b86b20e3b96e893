import torch

from electra import ElectraConfig, ElectraForMaskedLM

model = ElectraForMaskedLM(ElectraConfig.tiny().generator()).eval()
input_ids = torch.tensor([[2, 11, 4, 13, 3]])  # 4 is [MASK]
labels = torch.tensor([[-100, -100, 12, -100, -100]])  # asked at the masked position only
output = model(input_ids, labels=labels)
proposals = output.logits[0, 2].topk(3).indices
print(tuple(output.logits.shape), tuple(proposals.shape))
