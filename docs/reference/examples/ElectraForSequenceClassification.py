import torch

from electra import ElectraConfig, ElectraForSequenceClassification

model = ElectraForSequenceClassification(ElectraConfig.tiny(id2label={0: "bad", 1: "good"})).eval()
input_ids = torch.tensor([[2, 11, 12, 3], [2, 13, 14, 3]])
output = model(input_ids, labels=torch.tensor([1, 0]))
print(tuple(output.logits.shape), tuple(output.loss.shape), model.config.problem_type)
