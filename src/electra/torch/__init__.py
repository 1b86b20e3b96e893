"""The models in PyTorch. `state_dict()` is the canonical checkpoint."""

from electra.torch.heads import ElectraForMaskedLM, ElectraForPreTraining, share_embeddings
from electra.torch.initial import init_weights
from electra.torch.model import ElectraModel
from electra.torch.pretrained import ElectraPreTrainedModel

__all__ = [
    "ElectraForMaskedLM",
    "ElectraForPreTraining",
    "ElectraModel",
    "ElectraPreTrainedModel",
    "init_weights",
    "share_embeddings",
]
