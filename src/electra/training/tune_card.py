"""The model card of a tuned model, written from what was measured and nothing else."""

from collections.abc import Mapping
from typing import Any

from electra.training.tune_results import chosen_told, told

# kind -> what the model does with what it is given
ABILITIES = {
    "classification": "gives a text, or a pair of texts, one of these labels",
    "multi-label": "gives a text, or a pair of texts, any number of these labels",
    "regression": "gives a text, or a pair of texts, a number",
    "tagging": "gives each word of a text one of these tags",
    "choice": "chooses which of several continuations fits a prompt",
    "answering": "finds the answer to a question in a text",
}

THRESHOLD = (
    "Where questions may have no answer: from which score on there is none was found on the same dev examples, which flatters",
    "the scores a little.",
    "",
)


def model_card(summary: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """README.md of the model folder: what it does, what it was measured to be worth, how it was made."""
    settings, labels = record["settings"], record["task"]["labels"]
    seconds = sum(result.get("seconds", 0) for result in summary["seeds"].values())
    shown = ", ".join(f"`{label}`" for label in labels[:50]) + (
        f" and {len(labels) - 50} more" if len(labels) > 50 else ""
    )
    shas = {part: record["data"][part]["sha256"][:16] for part in ("train", "dev")}
    lines = [
        "---",
        "library_name: electra",
        "tags: [electra, " + summary["kind"] + "]",
        "---",
        f"# {summary['kind'].capitalize()}, tuned on {summary['source']}",
        "",
        f"The model {ABILITIES[summary['kind']]}" + (f": {shown}." if summary["kind"] not in ("choice", "regression") else "."),
        "",
        f"Its encoder is {summary['model']}; it was fine-tuned on {summary['train_examples']:,} examples.",
        "",
        "## What it is worth",
        "",
        *(f"- {line}" for line in told(summary)),
        f"- {chosen_told(summary)}",
        "",
        *_table(summary),
        "",
        "![The training loss and the deciding score over the steps of each seed](curves.svg)",
        "",
        *(THRESHOLD if summary["kind"] == "answering" else ()),
        "Measured on the dev examples alone. What it does on texts of another kind, or in another language, was not measured.",
        "",
        "## How it was made",
        "",
        f"- {settings['epochs']:g} epochs, {summary['steps']:,} updates of {settings['batch_size']} rows of at most "
        f"{settings['max_length']} tokens, learning rate {settings['learning_rate']:g}, layer decay {settings['layer_decay']:g}",
        f"- electra {record['electra']}, framework {record['framework']}, {seconds / 60:.1f} minutes of training for all seeds",
        f"- sha256 of the examples: train `{shas['train']}`, dev `{shas['dev']}`",
        "",
        "All settings are in settings.json of the run; task.json says what `electra predict` needs to know.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _table(summary: Mapping[str, Any]) -> list[str]:
    """The scores of each seed, as Markdown."""
    names = list(summary["spread"])
    rows = ["| seed | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for result in summary["seeds"].values():
        values = (
            [f"{result['scores'][name]:.4f}" if name in result["scores"] else "" for name in names]
            if "scores" in result
            else ["failed"] * len(names)
        )
        rows.append(f"| {result['seed']} | " + " | ".join(values) + " |")
    return [*rows, "| median | " + " | ".join(f"{summary['spread'][name]['median']:.4f}" for name in names) + " |"]
