from electra import ElectraTokenizerFast

vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "chef", "cook", "##ed", "a", "meal"]
tokenizer = ElectraTokenizerFast(vocabulary)
encoding = tokenizer(["The chef cooked", "A meal"], padding=True, return_offsets_mapping=True)
print(encoding.input_ids)
print(encoding.offset_mapping[0])
