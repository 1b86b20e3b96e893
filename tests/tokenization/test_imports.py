"""What importing costs: the package loads nothing, the slow tokenizer does without `tokenizers`."""

import subprocess
import sys

BLOCKED = "import sys; sys.modules['tokenizers'] = sys.modules['torch'] = None; "


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_library_loads_no_tokenizers():
    assert run("import sys, electra, electra.tokenization; print('tokenizers' in sys.modules)") == "False\n"


def test_the_slow_tokenizer_works_and_saves_without_the_tokenizers_package(vocab_file, tmp_path):
    program = (
        f"{BLOCKED}from electra import ElectraTokenizer; t = ElectraTokenizer({str(vocab_file)!r}); "
        f"t.save_pretrained({str(tmp_path)!r}); t = ElectraTokenizer.from_pretrained({str(tmp_path)!r}); "
        "print(t.tokenize('the garden'))"
    )
    assert run(program) == "['the', 'garden']\n"
