import tempfile
from pathlib import Path

import electra
from electra import ElectraConfig, ElectraForMaskedLM, ElectraForPreTraining, ElectraTokenizerFast

special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
words = [*special, "the", "chef", "cooked", "ate", "flew", "in", "kitchen", "meal", "."]
config = ElectraConfig.tiny(vocab_size=len(words))
networks = {"discriminator": ElectraForPreTraining(config), "generator": ElectraForMaskedLM(config.generator())}

with tempfile.TemporaryDirectory() as run:  # a pretraining leaves such a folder; these weights are random
    for name, network in networks.items():
        network.save_pretrained(Path(run) / name)
        ElectraTokenizerFast(vocab_file=words).save_pretrained(Path(run) / name)
    model = electra.load(run)

text = "The chef flew in the kitchen."
(answer,) = model.predict([{"text": text}])
print(model.kind, [(word["text"], word["start"]) for word in answer["words"]])
print(len(model.suggest(text, 9, 13, count=3)), "words for the place of", text[9:13])
(answer,) = model.generator.predict([{"text": "The [MASK] cooked.", "count": 2}])
print(model.generator.kind, answer["masks"][0]["start"], len(answer["masks"][0]["candidates"]))
