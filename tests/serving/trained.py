"""A pair that knows a grammar: a discriminator and a generator of one layer, trained for some seconds on sentences with it."""

import numpy as np
import torch
from conftest import WORDS, sentences

from electra import ElectraConfig, ElectraForMaskedLM, ElectraForPreTraining

SIZES = dict(
    embedding_size=48, hidden_size=48, num_hidden_layers=1, num_attention_heads=2, intermediate_size=96,
    max_position_embeddings=48, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.1,
)  # fmt: skip


def write_trained_pair(folder, tokenizer, steps=150, rows=48):
    """discriminator/ learns which words were put in at random, generator/ which word was there before."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    config = ElectraConfig(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **SIZES)
    discriminator, generator = ElectraForPreTraining(config).train(), ElectraForMaskedLM(config).train()
    parameters = [*discriminator.parameters(), *generator.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=4e-3)
    words = " ".join(WORDS.values()).split()
    texts = [text.split() for text in sentences(600, seed=1)]
    for _ in range(steps):
        chosen = [texts[i] for i in rng.integers(0, len(texts), rows)]
        places = rng.integers(1, 8, rows)
        spoiled = [
            [*text[:place], str(rng.choice(words)), *text[place + 1 :]]
            for text, place in zip(chosen, places, strict=True)
        ]
        loss = _loss(discriminator, tokenizer, spoiled, chosen) + _guess(generator, tokenizer, chosen, places)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for name, model in (("discriminator", discriminator), ("generator", generator)):
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return folder


def _encode(tokenizer, texts):
    encoded = tokenizer(texts, is_split_into_words=True, padding=True, return_tensors="np")
    numbers = [[-1 if n is None else n for n in encoded.word_ids(row)] for row in range(len(texts))]
    inputs = {name: torch.from_numpy(encoded[name].astype(np.int64)) for name in ("input_ids", "attention_mask")}
    return inputs, np.array(numbers)


def _loss(discriminator, tokenizer, spoiled, original):
    inputs, numbers = _encode(tokenizer, spoiled)
    labels = np.zeros_like(numbers)
    for row, (found, right) in enumerate(zip(spoiled, original, strict=True)):
        wrong = [number for number, pair in enumerate(zip(found, right, strict=True)) if pair[0] != pair[1]]
        labels[row] = np.isin(numbers[row], wrong)
    return discriminator(**inputs, labels=torch.from_numpy(labels)).loss


def _guess(generator, tokenizer, texts, places):
    inputs, numbers = _encode(tokenizer, texts)
    is_asked = torch.from_numpy(numbers == np.array(places)[:, None])
    labels = torch.where(is_asked, inputs["input_ids"], -100)
    return generator(
        **inputs | {"input_ids": inputs["input_ids"].masked_fill(is_asked, tokenizer.mask_token_id)}, labels=labels
    ).loss
