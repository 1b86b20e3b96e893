import torch

from electra import ElectraConfig, ElectraForTokenClassification

labels = {0: "O", 1: "B-PER", 2: "I-PER"}
model = ElectraForTokenClassification(ElectraConfig.tiny(id2label=labels)).eval()
input_ids = torch.tensor([[2, 11, 12, 13, 3]])
output = model(input_ids, labels=torch.tensor([[-100, 1, 2, 0, -100]]))  # special tokens do not count
print(tuple(output.logits.shape), tuple(output.loss.shape))
