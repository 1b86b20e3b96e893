import torch

from electra import ElectraForPreTrainingOutput

output = ElectraForPreTrainingOutput(logits=torch.tensor([[-2.5, 1.5]]))
print(output.logits is output["logits"] is output[0])
print(output.loss, list(output), len(output.to_tuple()))
