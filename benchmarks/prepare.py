"""Corpus preparation beside its nearest peer: transformers' fast tokenizer under `datasets.map`.

    python benchmarks/prepare.py [--corpus TEXT ...] [--vocab vocab.txt] [--rounds 3] [--out benchmarks/results/prepare.json]

TEXT is a .jsonl or .jsonl.xz with the text under "text"; by default what `make demo` learns from, with a vocabulary of it. Both
read the same files, tokenize every line, and leave token ids on disk: ours as `electra prepare` does (a corpus with document
bounds, held-out split and checksums), the peer's as a data set of `input_ids`, batches of 1000 lines, one process a core, which
is what tutorials and training scripts do. They take turns in every round, each in a process tree of its own. Ratios are peer
over ours, paired by round; processes are measured from their start, so little text says little.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from electra.inference.machine import processor

OURS = """
import sys
from electra.data.prepare import prepare
from electra.tokenization import load_tokenizer
if __name__ == "__main__":
    info = prepare(sys.argv[3:], sys.argv[1], load_tokenizer(sys.argv[2]))
    print(sum(split["tokens"] for split in info.splits.values()))
"""

PEER = """
import os, sys
from datasets import load_dataset
from transformers import ElectraTokenizerFast
if __name__ == "__main__":
    tokenizer = ElectraTokenizerFast(sys.argv[2], do_lower_case=True)
    cores = len(os.sched_getaffinity(0))
    data = load_dataset("json", data_files=sys.argv[3:], split="train", cache_dir=sys.argv[1] + ".cache")

    def encode(batch):
        lines = [line for text in batch["text"] for line in text.split("\\n") if line.strip()]
        return {"input_ids": tokenizer(lines, add_special_tokens=False, verbose=False)["input_ids"]}

    encoded = data.map(encode, batched=True, batch_size=1000, num_proc=cores, remove_columns=data.column_names)
    encoded.save_to_disk(sys.argv[1])
    print(sum(len(column) for batch in encoded.iter(1000) for column in batch["input_ids"]))
"""


def measure(program: str, vocab: Path, texts: list[str]) -> dict[str, float]:
    """Run a program to its end: seconds by the clock, CPU seconds and the peak memory of its whole process tree."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        script = folder / "program.py"
        script.write_text(program)
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": place}
        started, before = time.perf_counter(), os.times()
        process = subprocess.Popen(
            [sys.executable, script, folder / "out", vocab, *texts], env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        peak = watch_memory(psutil.Process(process.pid), process)
        answer, _ = process.communicate()
        seconds, after = time.perf_counter() - started, os.times()
        if process.returncode:
            raise SystemExit(f"a program ended with {process.returncode}")
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        shutil.rmtree(folder / "out", ignore_errors=True)
        return {"seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak / 1e6, "tokens": int(answer.split()[-1])}


def watch_memory(root: psutil.Process, process: subprocess.Popen[str]) -> int:
    """The highest memory of a process and all its children together, in bytes."""
    peak = 0
    while process.poll() is None:
        peak = max(peak, memory_of(root))
        time.sleep(0.1)
    return peak


def memory_of(root: psutil.Process) -> int:
    """The sum of the proportional memory (shared pages counted once) of a process and all its children, in bytes."""
    total = 0
    for one in family(root):
        try:
            total += one.memory_full_info().pss
        except psutil.Error:  # it ended meanwhile
            continue
    return total


def family(root: psutil.Process) -> list[psutil.Process]:
    """A process and its children, none if it ended."""
    try:
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def size_of_text(texts: list[str]) -> int:
    """Bytes of UTF-8 in the "text" fields."""
    import lzma

    total = 0
    for path in texts:
        with (lzma.open if path.endswith(".xz") else open)(path, "rt", encoding="utf-8") as file:
            total += sum(len(json.loads(line)["text"].encode()) for line in file)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", nargs="*", default=[])
    parser.add_argument("--vocab", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/prepare.json"))
    parser.add_argument("--alone", action="store_true", help="ours only, for memory on all of a large corpus")
    options = parser.parse_args()
    if not options.corpus:
        from texts import default_records

        records, vocabulary = default_records()
        options.corpus, options.vocab = [str(records)], options.vocab or vocabulary
    if options.vocab is None:
        parser.error("give --vocab with --corpus")
    size = size_of_text(options.corpus)
    programs = {"electra": OURS} if options.alone else {"electra": OURS, "datasets.map": PEER}
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
    for number in range(options.rounds):
        for name, program in programs.items():
            found = measure(program, options.vocab, options.corpus)
            rounds[name].append(found)
            speed = f"{size / 1e6 / found['seconds']:.1f} MB/s by the clock, {size / 1e6 / found['cpu_seconds']:.1f} MB/CPU s"
            print(
                f"round {number + 1}, {name}: {speed}, peak {found['peak_mb']:.0f} MB, {found['tokens']:,} tokens",
                flush=True,
            )
    result = {
        "files": [Path(path).name for path in options.corpus],
        "vocabulary": options.vocab.name,
        "machine": f"{processor()}, {os.cpu_count()} cores",
        "text_mb": size / 1e6,
        "rounds": rounds,
    }
    if not options.alone:
        for name, key in (("times_faster", "seconds"), ("times_fewer_cpu_seconds", "cpu_seconds")):
            pairs = zip(rounds["datasets.map"], rounds["electra"], strict=True)
            ratios = sorted(peer[key] / ours[key] for peer, ours in pairs)
            result[name] = {"median": statistics.median(ratios), "lowest": ratios[0], "highest": ratios[-1]}
            print("{}: median {median:.2f}, {lowest:.2f} to {highest:.2f}".format(name, **result[name]))
    options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
