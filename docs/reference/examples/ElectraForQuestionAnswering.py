import torch

from electra import ElectraConfig, ElectraForQuestionAnswering

model = ElectraForQuestionAnswering(ElectraConfig.tiny()).eval()
input_ids = torch.tensor([[2, 11, 12, 3, 21, 22, 23, 3]])  # [CLS] question [SEP] text [SEP]
output = model(input_ids, start_positions=torch.tensor([5]), end_positions=torch.tensor([6]))
print(tuple(output.start_logits.shape), tuple(output.end_logits.shape), tuple(output.loss.shape))
