from electra import ElectraTokenizerFast

text = "The chef cooked a meal"
tokenizer = ElectraTokenizerFast(
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "chef", "cook", "##ed", "a", "meal"]
)
encoding = tokenizer(text, return_tensors="np")
print(encoding.input_ids.shape, encoding.tokens())
start, end = encoding.word_to_chars(2)
print(encoding.word_to_tokens(2), text[start:end])
