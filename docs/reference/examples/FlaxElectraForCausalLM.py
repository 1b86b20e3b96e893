import numpy as np

from electra import ElectraConfig, FlaxElectraForCausalLM

model = FlaxElectraForCausalLM(ElectraConfig.tiny(is_decoder=True))
input_ids = np.array([[2, 11, 12]])
first = model(input_ids, past_key_values=model.init_cache(batch_size=1, max_length=8))
second = model(np.array([[13]]), past_key_values=first.past_key_values)  # the token after those three
print(first.logits.shape, second.logits.shape, int(second.past_key_values["index"]))
print(model.generate(input_ids, max_length=8).shape)
