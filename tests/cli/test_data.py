"""electra data check, from the words of a command to its report and exit code."""

import pytest

from electra.cli import main

TRAIN = "body,topic\nThe river rose after the rain.,nature\nThe choir sang all evening.,music\nSnow fell on the hills.,nature\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.csv").write_text(TRAIN, encoding="utf-8")
    (tmp_path / "rows.csv").write_text(TRAIN.partition("\n")[2], encoding="utf-8")
    return tmp_path


def told(capsys, *words):
    code = main(["data", "check", *words])
    return code, capsys.readouterr()


def test_your_own_files_by_the_names_of_their_columns(here, capsys):
    (here / "dev.csv").write_text("body,topic\nA drum was heard.,music\n", encoding="utf-8")
    code, said = told(capsys, "--train", "train.csv", "--dev", "dev.csv", "--text", "body", "--label", "topic")
    assert code == 0
    assert said.out.startswith("train: 3 examples\n  2 labels: nature 2 (66.7%), music 1 (33.3%)\n")
    verdict = "nothing that makes results wrong: no errors, no warnings\n"
    assert said.out.endswith(f"always nature on dev: accuracy 0.000\n{verdict}")
    assert said.err == ""


def test_a_leak_ends_with_1(here, capsys):
    code, said = told(capsys, "--train", "train.csv", "--dev", "train.csv", "--text", "body", "--label", "topic")
    assert code == 1
    assert "error: dev: 3 (100.0%) are in train too (train.csv:2 = train.csv:2, " in said.out
    assert said.out.endswith("results would be wrong: 1 error, no warnings\n")


def test_a_published_set_by_its_name_with_what_was_left_out(here, capsys):
    (here / "RTE").mkdir()
    rows = "0\tIt rained.\tIt was wet.\tentailment\n1\tIt rained.\tIt was dry.\tnot_entailment\nbroken\n"
    (here / "RTE" / "train.tsv").write_text("index\tsentence1\tsentence2\tlabel\n" + rows, encoding="utf-8")
    code, said = told(capsys, "--task", "rte", "--data", ".")
    assert code == 0
    assert said.out.startswith("train: 2 examples\n")
    assert "note: 1 line left out, with other than 4 fields: RTE/train.tsv:4\n" in said.out


def test_word_pieces_are_counted_with_a_tokenizer(here, capsys):
    (here / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nriver\n", encoding="utf-8")
    words = (
        "--train",
        "train.csv",
        "--text",
        "body",
        "--label",
        "topic",
        "--tokenizer",
        "vocab.txt",
        "--max-length",
        "8",
    )
    _, said = told(capsys, *words)
    assert (
        "  word pieces 8 in the middle, up to 9 in 95%, at most 9; more than 8 in 1 (33.3%), which are cut\n"
        in said.out
    )


WRONG = {
    "a column": (("--train", "train.csv", "--text", "body"), 65, 'no column "label"; there are body, topic'),
    "no header": (
        ("--train", "rows.csv"),
        65,
        'no column "text"; there are The river rose after the rain., nature; the first line looks like a row: '
        "--no-header reads it as one and names the columns 1, 2, ...",
    ),
    "a kind": (("--train", "train.csv", "--kind", "class"), 2, 'there is no kind "class"'),
    "a task": (("--task", "colas", "--data", "."), 2, 'there is no task "colas" (did you mean "cola"?)'),
    "no files of the task": (("--task", "cola", "--data", "."), 65, "has no train file of cola: looked for train.tsv"),
    "neither": ((), 2, "give --task with --data FOLDER, or files of your own"),
    "no folder": (("--task", "cola"), 2, "give --task with --data FOLDER"),
    "no file": (("--train", "tain.csv"), 65, 'tain.csv does not exist (did you mean "train.csv"?)'),
}


@pytest.mark.parametrize(("words", "code", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_request_is_told_in_one_sentence(here, capsys, words, code, message):
    found, said = told(capsys, *words)
    assert found == code
    assert message in said.err
    assert said.out == ""


def test_another_verb_of_data_is_refused(capsys):
    assert main(["data", "chek"]) == 2
    assert 'did you mean "check"?' in capsys.readouterr().err
