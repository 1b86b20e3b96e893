from tempfile import TemporaryDirectory

from electra import AutoTokenizer, ElectraTokenizerFast

vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "chef", "cook", "##ed", "a", "meal"]
with TemporaryDirectory() as folder:
    ElectraTokenizerFast(vocabulary, model_max_length=512).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
print(type(tokenizer).__name__, tokenizer.model_max_length, tokenizer.mask_token_id)
