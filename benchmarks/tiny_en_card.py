"""The card of the model `electra-tiny-en`: examples/electra-tiny-en/card.md with what benchmarks/tiny_en.py measured.

    python benchmarks/tiny_en_card.py MODEL [--results benchmarks/results/tiny_en.json]

Writes MODEL/README.md, and a short one into the folder of each network, which may be taken alone; then the manifests of all
three, those of the networks as `electra verify --write` does.
Raises SystemExit where the results are of other weights, or the weights of both networks take more than 25 MB.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from tiny_en import OUT, size_of, told

from electra.training.panel import clock
from electra.verification.record import seal
from electra.weights.checkpoint import write_manifest
from electra.weights.folders import NETWORKS, pair_in

CARD = Path(__file__).parents[1] / "examples" / "electra-tiny-en" / "card.md"
MOST = 25e6  # bytes of both networks
ATTRIBUTION = (
    "\"electra-tiny-en, trained on text of Wikipedia's authors (CC BY-SA 3.0), of Microsoft and contributors (PowerShell "
    'documentation, CC BY 4.0), and on text in the public domain or under MIT, Apache-2.0 and CC0"'
)
SHORT = """# electra-tiny-en, {network}

One of the two networks of electra-tiny-en, a tiny ELECTRA of English: {class_name}. What it was trained on, what it reached, and
what it is for stand in the README.md of the folder around this one, in the package `electra`.

Licence of the weights and the vocabulary: CC BY-SA 4.0 (https://creativecommons.org/licenses/by-sa/4.0/). Where you pass it on,
name it: {attribution}. Link the licence, and say what you changed.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--results", type=Path, default=OUT)
    options = parser.parse_args()
    report, size = json.loads(options.results.read_text(encoding="utf-8")), size_of(options.model)
    if set(pair_in(options.model)) != set(NETWORKS) or size["bytes"] > MOST:
        raise SystemExit(f"{options.model} has {size['bytes'] / 1e6:.1f} MB; expected both networks, of at most 25 MB")
    if {key: report[key] for key in size} != size:
        raise SystemExit(f"{options.results} is of other weights than those of {options.model}; measure these")
    (options.model / "README.md").write_text(card(report), encoding="utf-8")
    for name, folder in pair_in(options.model).items():
        text = SHORT.format(network=name, class_name=NETWORKS[name], attribution=ATTRIBUTION)
        (folder / "README.md").write_text(text, encoding="utf-8")
        if notes := seal(folder):
            raise SystemExit(f"{folder} could not be recorded: {'; '.join(notes)}")
    write_manifest(options.model, {})  # the one of the whole holds the sums of theirs
    print(f"{options.model}: {size['bytes'] / 1e6:.1f} MB of weights, with its card")


def card(report: dict[str, Any]) -> str:
    """README.md of the model."""
    return CARD.read_text(encoding="utf-8").format(
        parameters=f"{report['words']['parameters'] / 1e6:.1f}",
        tokens=f"{report['pretraining']['electra']['tokens'] / 1e6:,.0f}",
        command=report["command"],
        machine=report["machine"],
        told="\n".join(told(report)),
        made="\n".join(made(report)),
        attribution=ATTRIBUTION,
    )


def made(report: dict[str, Any]) -> list[str]:
    """Sizes, updates, time and machine, a line each."""
    facts = report["pretraining"]["electra"]
    machine = facts["machine"]
    sizes = [
        f"- {name}: {held['num_hidden_layers']} layers of width {held['hidden_size']}, {held['num_attention_heads']} heads, "
        f"embeddings {held['embedding_size']} wide of {held['vocab_size']:,} pieces"
        for name, held in facts["networks"].items()
    ]
    return [
        *sizes,
        f"- {report['bytes'] / 1e6:.1f} MB of weights, rounded to bfloat16 after training",
        f"- {facts['steps']:,} updates of {facts['batch_size']} rows of {facts['max_length']} tokens, {facts['tokens']:,} tokens "
        f"in all, learning rate {facts['learning_rate']:g}, seed {facts['seed']}",
        f"- {clock(60 * facts['minutes'])} of training on {machine['device']} ({report['machine']}), {machine['precision']}, "
        f"{machine['threads']} threads, {machine['framework']}",
        f"- fingerprint of the corpus: `{facts['corpus'][:16]}`",
    ]


if __name__ == "__main__":
    main()
