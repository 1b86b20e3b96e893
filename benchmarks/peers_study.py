"""Pretraining beside other programs at equal minutes: the same text, vocabulary, rows a step, rates and fine-tuning.

    python benchmarks/peers_study.py OUT --corpus CORPUS --data FOLDER [--jobs 2] [--limit-minutes 90] [--dry-run]
    python benchmarks/peers_study.py OUT --table

A study (`electra study`, recipes/study-peers.toml) whose variants named after other programs are trained by them:

    transformers_bert   BertForMaskedLM in a plain loop, masked by the collator of run_mlm.py (80% [MASK], 10% random, 10% kept)
    electra_pytorch     lucidrains' training class on transformers' ElectraForMaskedLM and ElectraForPreTraining

Both get torch's AdamW, our warm-up and linear decay, our sizes, no dropout, and the faster of float32 and bfloat16 (autocast)
here. Minutes are of updates; making batches counts for nobody, but electra_pytorch masks inside its own. What they trained is
evaluated on held-out text by us and fine-tuned by us, as ours is. Ours begins with the preset's first layer that looks at
neighbours (electra.local_start); theirs with their usual weights. FLOPs are those the objective needs, by our count, whatever a
program multiplies beyond. A peer's piece that is killed begins anew.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from document import write_section

from electra.data.corpus import Corpus
from electra.study.collect import collect
from electra.study.contents import Budget
from electra.study.file import read_study
from electra.study.fitting import measured_seconds, networks_of, with_length
from electra.study.page import markdown, write_page
from electra.study.piece import fitted, flops_of
from electra.study.piece import main as make_piece
from electra.study.plan import plan_of
from electra.study.run import run_study
from electra.training.interrupt import StopRequest
from electra.training.metrics import measure
from electra.training.run import RunFolder
from electra.training.schedule import learning_rate
from electra.training.settings import PretrainSettings, with_steps
from electra.training.steps import Steps

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "study-peers.toml"
PEERS = ("transformers_bert", "electra_pytorch")
# of transformers' BERT -> of our networks; the tables and the encoder have the same names otherwise
RENAMED = {
    "bert.": "electra.",
    "cls.predictions.transform.": "generator_predictions.",
    "cls.predictions.decoder.": "generator_lm_head.",
    "cls.predictions.bias": "generator_lm_head.bias",
}
PARTS = 8  # batches that a step is timed on


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the study")
    parser.add_argument("--corpus", type=Path, help="written by electra prepare")
    parser.add_argument("--data", type=Path, help="folder of the tasks' files")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--jobs", type=int, default=2, help="pieces at a time (2)")
    parser.add_argument("--threads", type=int, default=1, help="of each (1)")
    parser.add_argument("--limit-minutes", type=float, help="stop after so long; the same command continues")
    parser.add_argument("--measure", action="store_true", help="only measure how long a step of each takes")
    parser.add_argument("--dry-run", action="store_true", help="say what would be run, and how long it takes")
    parser.add_argument("--table", action="store_true", help="write the section of docs/results.md, measure nothing")
    options = parser.parse_args()
    if options.table:
        held = json.loads((options.out / "study.json").read_text())
        write_section("peers_study", markdown(held, []).splitlines())
        return
    if options.corpus is None or options.data is None:
        parser.error("give --corpus and --data, or --table")
    study = read_study(options.recipe, corpus=options.corpus, data=options.data)
    if options.dry_run:
        print("\n".join(plan_of(study, options.out, options.corpus, jobs=options.jobs, threads=options.threads)))
        return
    others = {name: [sys.executable, __file__, "--piece", name] for name in PEERS if name in study.variants}
    code = run_study(
        study, options.out, options.corpus, jobs=options.jobs, threads=options.threads,
        limit_minutes=options.limit_minutes, tell=partial(print, file=sys.stderr, flush=True), others=others,
        measure=options.measure,
    )  # fmt: skip
    if not options.measure:
        write_page(collect(study, options.out), options.out)
    sys.exit(code)


# -- a piece of a peer --------------------------------------------------------------------------------------------------


def pretrain_peer(peer: str, order: dict[str, Any], folder: Path) -> tuple[StopRequest, dict[str, Any]]:
    """Train one run as the peer does, leave its networks as a run folder of ours, and say what was reached."""
    import torch

    torch.set_num_threads(order["threads"])
    corpus, run = Path(order["corpus"]), folder / "run"
    precision = order["speed"]["machine"]["precision"]

    def fit(
        settings: PretrainSettings, budget: Budget, place: Path, *, evaluations: int, speed: float
    ) -> PretrainSettings:
        found = with_length(settings, budget, round(60 * budget.amount / speed), evaluations)
        return replace(found, precision=precision)

    if order["budget"]["unit"] != "minutes":
        raise SystemExit(f"{peer} is given minutes alone: its operations are not counted")
    settings = fitted(order, folder, fit)
    step, networks = trainer(peer, settings, corpus)
    steps, tokens, spent = batches(settings, corpus), 0, 0.0
    for number in range(settings.steps):
        rate = learning_rate(
            number, base=settings.learning_rate, total_steps=settings.steps, warmup_steps=settings.warmup_steps
        )
        rows = steps(number)
        started = time.perf_counter()
        step(rows, rate)
        spent += time.perf_counter() - started
        tokens += int(rows.attention_mask.sum())
    last, description = leave(networks(), settings, corpus, run)
    seconds = settings.steps * order["speed"]["step_seconds"]
    return StopRequest(), {
        "settings": settings.to_dict(),
        "machine": description,
        "corpus": {"fingerprint": Corpus.open(corpus).fingerprint},
        "networks": RunFolder(run).settings()["networks"],
        "steps": settings.steps,
        "tokens": tokens,
        "seconds": seconds,
        "clock_seconds": spent,
        **flops_of(settings, corpus),
        "evaluations": [{"step": settings.steps, "tokens": tokens, "seconds": seconds, **last}],
    }


def fastest(peer: str, order: dict[str, Any]) -> dict[str, Any]:
    """What a step of the peer takes here, in the precision in which it is faster."""
    import torch

    torch.set_num_threads(order["threads"])
    found = {}
    for precision in ("float32", "bfloat16"):
        values = order["settings"] | {"seed": order["seed"], "threads": order["threads"], "precision": precision}
        settings = with_steps(PretrainSettings(**values), 1000)
        step, _ = trainer(peer, settings, Path(order["corpus"]))
        make = batches(settings, Path(order["corpus"]))
        rows = [make(number) for number in range(PARTS)]
        found[precision] = measured_seconds(
            lambda number, step=step, rows=rows: step(rows[number % PARTS], 0.0), at_most=order["at_most"]
        )
    precision = min(found, key=lambda name: found[name])
    return {"step_seconds": found[precision], "machine": {"precision": precision, "of_each": found}}


def batches(settings: PretrainSettings, corpus: Path) -> Callable[[int], Any]:
    """Rows of a step, before masking: the same as ours."""
    steps = Steps(corpus, "train", settings)
    return lambda number: steps(number)[0][0]


def trainer(
    peer: str, settings: PretrainSettings, corpus: Path
) -> tuple[Callable[[Any, float], Any], Callable[[], dict[str, dict[str, np.ndarray]]]]:
    """A function that makes an update, and one that gives the networks by our names."""
    return {"transformers_bert": bert, "electra_pytorch": electra_pytorch}[peer](settings, corpus)


def bert(settings: PretrainSettings, corpus: Path) -> Any:
    import torch
    import transformers
    from peers import Loop

    opened = Corpus.open(corpus)
    config = vars(networks_of(settings, corpus)["masked_lm"])
    if config["embedding_size"] != config["hidden_size"]:
        raise SystemExit("BERT has no embedding_size of its own: expected a size where it is the hidden size")
    shared = (
        "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "initializer_range",
        "hidden_dropout_prob", "attention_probs_dropout_prob", "max_position_embeddings", "type_vocab_size", "pad_token_id",
    )  # fmt: skip
    transformers.set_seed(settings.seed)
    model = transformers.BertForMaskedLM(transformers.BertConfig(**{key: config[key] for key in shared})).train()
    tokenizer = transformers.ElectraTokenizerFast.from_pretrained(opened.tokenizer_folder)
    collate = transformers.DataCollatorForLanguageModeling(tokenizer, mlm_probability=settings.mask_probability)
    loop = Loop(model.parameters(), settings, settings.precision == "bfloat16")
    special = torch.tensor(list(opened.special_ids.values()))

    def step(rows: Any, rate: float) -> Any:
        ids, mask = (torch.from_numpy(array).long() for array in (rows.input_ids, rows.attention_mask))
        shown, labels = collate.torch_mask_tokens(ids, special_tokens_mask=torch.isin(ids, special))
        return loop.step(lambda: (model(shown, attention_mask=mask, labels=labels).loss,), rate)

    def networks() -> dict[str, dict[str, np.ndarray]]:
        return {"masked_lm": {renamed(name): tensor.float().numpy() for name, tensor in model.state_dict().items()}}

    return step, networks


def renamed(name: str) -> str:
    """The name in our networks of a tensor of BertForMaskedLM."""
    for before, after in RENAMED.items():
        if name.startswith(before):
            return after + name[len(before) :]
    return name


def electra_pytorch(settings: PretrainSettings, corpus: Path) -> Any:
    import torch
    from peers import Loop, lucidrains, pair

    opened, configs = Corpus.open(corpus), networks_of(settings, corpus)
    torch.manual_seed(settings.seed)
    generator, discriminator = pair(configs, settings.seed)
    losses_of = lucidrains(generator, discriminator, settings, opened.special_ids)
    parameters = dict.fromkeys([*discriminator.parameters(), *generator.parameters()])
    loop = Loop(list(parameters), settings, settings.precision == "bfloat16")

    def networks() -> dict[str, dict[str, np.ndarray]]:
        models = {"discriminator": discriminator, "generator": generator}
        return {n: {k: t.float().numpy() for k, t in model.state_dict().items()} for n, model in models.items()}

    return lambda rows, rate: loop.step(lambda: losses_of(rows), rate), networks


def leave(
    arrays: dict[str, dict[str, np.ndarray]], settings: PretrainSettings, corpus: Path, run: Path
) -> tuple[dict[str, float], dict[str, Any]]:
    """Write the networks as a finished run of ours; what they reach on held-out text, and what they are."""
    from electra.training.backend import open_backend

    opened, configs = Corpus.open(corpus), networks_of(settings, corpus)
    backend = open_backend("torch", configs, settings, opened.special_ids, weights=arrays)
    values = measure([backend.observe(part) for part in Steps(corpus, "train", settings).held_out()])
    record = {"settings": settings.to_dict(), "networks": {name: c.to_dict() for name, c in configs.items()}}
    shutil.rmtree(run, ignore_errors=True)
    RunFolder(run).begin(record)
    backend.save(run)
    for name in configs:
        shutil.copytree(opened.tokenizer_folder, run / name, dirs_exist_ok=True)
    return values, backend.describe()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--piece"]:
        os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_NO_TF="1", TRANSFORMERS_NO_FLAX="1")
        sys.exit(make_piece(partial(pretrain_peer, sys.argv[2]), partial(fastest, sys.argv[2])))
    main()
