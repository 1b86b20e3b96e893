import torch

from electra import ElectraConfig, ElectraForCausalLM

model = ElectraForCausalLM(ElectraConfig.tiny(is_decoder=True)).eval()
input_ids = torch.tensor([[2, 11, 12]])
output = model(input_ids, labels=input_ids)  # shifted inside: position t is asked for token t + 1
print(tuple(output.logits.shape), tuple(output.loss.shape))
print(tuple(model.generate(input_ids, max_length=8).shape))
