from electra import ElectraTokenizer

vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "chef", "cook", "##ed", "a", "meal"]
tokenizer = ElectraTokenizer(vocabulary)  # or the path of a vocab.txt
print(tokenizer.tokenize("The chef cooked a soup"))
print(tokenizer("The chef", "cooked a meal"))
print(tokenizer.decode([2, 5, 6, 7, 8, 3], skip_special_tokens=True))
