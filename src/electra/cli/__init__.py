"""The command line: a table of verbs. A verb's module is imported when it is called, so `electra --help` costs nothing."""

import os
import sys
from errno import EACCES, EDQUOT, ENOSPC, EPERM, EROFS
from importlib import import_module

# verb -> (module, what it does)
COMMANDS = {
    "vocab": ("electra.cli.vocab", "train a WordPiece vocabulary on text"),
    "prepare": ("electra.cli.prepare", "turn text into a corpus of token ids that training reads"),
    "plan": ("electra.cli.plan", "say what a run will take: time, memory, disk, operations, money"),
    "pretrain": ("electra.cli.pretrain", "train a generator and a discriminator on a corpus, or continue"),
    "inspect": ("electra.cli.inspect", "show how probable it is that each token of a text was replaced"),
    "convert": ("electra.cli.convert", "turn a checkpoint of any kind into another kind"),
    "verify": ("electra.cli.verify", "say whether a model folder is what it was, and whether its parts agree"),
    "data": ("electra.cli.data", "check a labelled data set before anything is trained on it"),
    "finetune": ("electra.cli.finetune", "fine-tune an encoder on a task or on your own files, over several seeds"),
    "evaluate": ("electra.cli.evaluate", "score a tuned model on labelled examples, with intervals"),
    "predict": ("electra.cli.predict", "answer each line of a file with a tuned model"),
    "serve": ("electra.cli.serve", "answer requests over HTTP with one or several models"),
    "compare": ("electra.cli.compare", "say whether one fine-tuning is better than another, or only luckier"),
    "study": ("electra.cli.study", "hold variants of pretraining against each other, over seeds, budgets and tasks"),
    "report": ("electra.cli.report", "write the curves of a run into one HTML page"),
    "doctor": ("electra.cli.doctor", "say what this machine computes with, and how fast a model answers"),
    "watch": ("electra.cli.watch", "show the curves of a run in a browser, while it trains"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the value is the process's exit code (0 done, 2 wrong request, and those of electra.errors)."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        code = _answer(words)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of our output left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _answer(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if words[0] in ("-V", "--version"):
        from electra import __version__

        print(f"electra {__version__}")
        return 0
    return _run(words[0], words[1:])


def _run(verb: str, words: list[str]) -> int:
    from electra.errors import ElectraError, UsageError, did_you_mean

    try:
        if verb not in COMMANDS:
            raise UsageError(f'there is no command "{verb}"{did_you_mean(verb, COMMANDS)}; electra --help lists them')
        code: int = import_module(COMMANDS[verb][0]).main(words)
        return code
    except ElectraError as error:
        print(f"electra {verb}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"electra {verb}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        raise
    except Exception as error:
        return _unforeseen(verb, error)


def _unforeseen(verb: str, error: Exception) -> int:
    """The exit code of an error that is none of ours: of the system where it is the disk or the memory, else our fault."""
    import traceback
    from pathlib import Path

    from electra.disk.space import write_error
    from electra.errors import ElectraError, TryAgainError

    if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT, EROFS, EACCES, EPERM) and error.filename:
        found = write_error(Path(error.filename), error)
        print(f"electra {verb}: {found}", file=sys.stderr)
        return found.exit_code
    traceback.print_exception(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        print(f"electra {verb}: the memory was too small for this", file=sys.stderr)
        return TryAgainError.exit_code
    print(
        f"electra {verb}: this is a fault of electra's; what it says above is what a report of it needs",
        file=sys.stderr,
    )
    return ElectraError.exit_code


def _help() -> str:
    rows = "\n".join(f"  {verb:<10} {summary}" for verb, (_, summary) in COMMANDS.items())
    return (
        "usage: electra COMMAND ...      (electra COMMAND --help for one command)\n\n"
        "ELECTRA: text encoders pretrained by replaced token detection.\n\n"
        f"{rows}\n\n"
        "From text to a model:\n"
        "  electra vocab texts/ --out vocabulary --size 30522\n"
        "  electra prepare texts/ --tokenizer vocabulary --out corpus\n"
        "  electra pretrain corpus run --preset small\n"
        '  electra inspect run "The chef cooked the meal in the garage."'
    )
