"""The command line as a shell sees it: from text to an answer, exit codes, and what a wrong call is told."""

import json
import os
import re
import subprocess
import sys

import pytest
from small_run import MODEL

from electra import __version__ as version
from electra.cli import COMMANDS, main


def electra(*words, **options):
    """Run the installed command."""
    command = [sys.executable, "-m", "electra", *map(str, words)]
    environment = os.environ | {"COLUMNS": "100", "NO_COLOR": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, **options)


@pytest.fixture(scope="module")
def place(texts, tmp_path_factory):
    """A folder where the whole way was gone by commands: vocabulary, corpus, run."""
    place = tmp_path_factory.mktemp("commands")
    (place / "recipe.toml").write_text(
        'preset = "tiny"\nstart = "original"\ngenerator_width = 0.5\nsteps = 20\nbatch_size = 8\nmax_length = 32\n'
        "log_every = 5\neval_every = 10\ncheckpoint_every = 10\nthreads = 1\n"
        "[model]\n" + "".join(f"{key} = {value}\n" for key, value in MODEL.items())
    )
    for words in (
        ("vocab", texts, "--out", place / "vocabulary", "--size", 200),
        ("prepare", texts, "--tokenizer", place / "vocabulary", "--out", place / "corpus", "--held-out", 0.1),
        ("pretrain", place / "corpus", place / "run", "--recipe", place / "recipe.toml", "--seed", 7),
    ):
        done = electra(*words)
        assert done.returncode == 0, done.stderr
    return place


def test_the_way_from_text_to_a_run_leaves_what_it_says(place):
    assert (place / "vocabulary/vocab.txt").is_file()
    settings = json.loads((place / "run/settings.json").read_text())["settings"]
    assert (settings["steps"], settings["seed"], settings["batch_size"]) == (20, 7, 8)
    assert (place / "run/discriminator/model.safetensors").is_file()
    assert (place / "run/generator/vocab.txt").read_bytes() == (place / "vocabulary/vocab.txt").read_bytes()


def test_each_command_says_what_comes_next(place, texts, tmp_path):
    done = electra("vocab", texts, "--out", tmp_path / "v", "--size", 100)
    assert f"next: electra prepare {texts} --tokenizer {tmp_path / 'v'} --out corpus" in done.stderr
    done = electra("prepare", texts, "--tokenizer", tmp_path / "v", "--out", tmp_path / "c")
    assert "train: 1" in done.stderr
    assert f"next: electra pretrain {tmp_path / 'c'} run" in done.stderr


def test_the_same_command_again_changes_nothing(place):
    before = (place / "run/metrics.jsonl").read_bytes()
    done = electra("pretrain", place / "corpus", place / "run", "--recipe", place / "recipe.toml", "--seed", 7)
    assert done.returncode == 0
    assert (place / "run/metrics.jsonl").read_bytes() == before


def test_inspect_shows_each_word_and_is_json_for_programs(place):
    text = "The old river painted the kitchen during the storm."
    done = electra("inspect", place / "run", text)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"·\d+", done.stdout)) == 10
    assert re.search(
        r'" is \d+% likely replaced; in its place, with their own probability: (\w+ \d+%(, )?){3}', done.stdout
    )
    done = electra("inspect", place / "run", "--json", "--threshold", "0", input=f"{text}\n\n{'The teacher. ' * 90}\n")
    one, empty, long = map(json.loads, done.stdout.splitlines())
    assert [text[word["start"] : word["end"]] for word in one["words"]] == text.replace(".", " .").split()
    assert all(0 <= word["score"] <= 1 for word in one["words"])
    assert all(len(word["suggestions"]) == 3 for word in one["words"][:-1])  # there are not three marks to end with
    assert empty == {"text": "", "words": []}
    assert len(long["words"]) == 270
    done = electra("inspect", place / "run/discriminator", "--json", text)
    assert not any("suggestions" in word for word in json.loads(done.stdout)["words"])


def test_report_writes_the_page(place):
    done = electra("report", place / "run", "--out", place / "page.html")
    assert done.returncode == 0, done.stderr
    assert "<svg" in (place / "page.html").read_text()


@pytest.mark.fault(45)
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("pretrian",), 2, r'no command "pretrian" \(did you mean "pretrain"\?\)'),
        (("pretrain", "nothing", "run"), 65, "nothing .*electra prepare"),
        (("pretrain", "corpus", "run", "--preset", "tinny"), 2, "tinny.*tiny"),
        (("pretrain", "corpus", "run", "--learning-rat", "1"), 2, "--learning-rat.*--learning-rate"),
        (("pretrain", "corpus", "other", "--steps", "0", "--size", "smal"), 2, r'(?s)steps is 0.*did you mean "small"'),
        (("pretrain", "corpus", "other", "--device", "abacus"), 2, "device is 'abacus', which cannot be used here"),
        (("pretrain", "corpus", "run", "--recipe", "recipe.toml", "--seed", "8"), 65, "(?s)seed: was 7, is 8"),
        (("prepare", "missing.txt", "--tokenizer", "vocabulary", "--out", "new"), 65, r"missing\.txt"),
        (("prepare", "--tokenizer", "vocabulary", "--out", "new"), 2, "at least one file or folder"),
        (("prepare", "recipe.toml", "--tokenizer", "nowhere", "--out", "new"), 65, "nowhere"),
        (("vocab", "missing", "--out", "vocabulary"), 2, "vocabulary is not empty"),
        (("inspect", "vocabulary", "text"), 65, r"config\.json"),
        (("inspect", "run/generator", "text"), 65, r'kind filling, expected .* electra\.load\("run/generator"\)'),
        (("report", "vocabulary"), 65, "not a run folder"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else "",
)
def test_a_wrong_call_is_told_what_is_wrong_and_has_its_exit_code(place, words, code, message):
    done = electra(*words, cwd=place)
    told = re.sub(r"[│╭╮╰╯─\s]+", " ", done.stderr + done.stdout)
    assert done.returncode == code, told
    assert re.search(message, told), told
    assert "Traceback" not in told
    assert not (place / "new").exists()
    assert not (place / "other").exists()


@pytest.mark.parametrize("words", [["--help"], ["inspect", "run", "The old river."]], ids=lambda words: words[0])
def test_a_reader_that_left_is_no_error(place, words):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "electra", *words]
    done = subprocess.run(command, cwd=place, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_command_explains_itself(verb):
    done = electra(verb, "--help")
    assert done.returncode == 0
    assert f"electra {verb}" in done.stdout


def test_the_summary_names_every_command(capsys):
    assert main([]) == main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {verb} " in shown for verb in COMMANDS)


WITHOUT_TORCH = """
import sys
class Blocked:
    def find_spec(self, name, *_):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
from electra.cli import main
sys.exit(main(sys.argv[1:]))
"""


def without_torch(*words, **variables):
    command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, words)]
    return subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)


@pytest.mark.fault(45)
def test_a_run_without_torch_is_told_how_to_install_it(place):
    for words in (["pretrain", place / "corpus", place / "x", "--preset", "tiny"], ["inspect", place / "run", "a"]):
        done = without_torch(*words, ELECTRA_NATIVE="0")
        assert done.returncode == 2, done.stderr
        assert "pip install 'electra[torch]'" in done.stderr


def test_texts_are_inspected_without_torch_where_our_own_c_compiles(place):
    done = without_torch("inspect", place / "run", "a")
    assert done.returncode == 0, done.stderr
    assert "likely replaced" in done.stdout


@pytest.mark.parametrize(("processes", "shut_down"), [("1", True), ("4", False)])
def test_one_of_several_processes_leaves_before_the_interpreter_shuts_down_and_loses_no_output(processes, shut_down):
    program = (
        "import atexit, runpy, sys; atexit.register(print, 'shut down'); sys.argv[1:] = sys.argv[2:]; "
        "runpy.run_module('electra', run_name='__main__')"
    )
    command = [sys.executable, "-c", program, "electra", "--version"]
    environment = os.environ | {"WORLD_SIZE": processes}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines() == [f"electra {version}", *["shut down"] * shut_down]
    failed = subprocess.run([*command[:-1], "nonsense"], capture_output=True, text=True, check=False, env=environment)
    assert failed.returncode == 2
    assert 'there is no command "nonsense"' in failed.stderr
