"""A long run that is killed every minute or two, beside one that is not: python tests/reliability/soak.py FOLDER --minutes 60

Both end with the same bytes, or this exits 1 and says which file differs. They run at the same time, with one thread each; where
this was interrupted, the same command goes on. FOLDER/kills.jsonl says at which step each kill came.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from conftest import sentences
from long_runs import keep

TIMES = {"seconds", "seconds_left", "tokens_per_second"}
SETTINGS = (
    "--preset", "tiny", "--size", "tiny", "--max-length", "64", "--batch-size", "16", "--threads", "1", "--workers", "1",
    "--log-every", "20", "--eval-every", "200", "--checkpoint-every", "50", "--quiet",
)  # fmt: skip


def electra(*words):
    return [sys.executable, "-m", "electra", *map(str, words)]


def corpus_in(folder):
    """A prepared corpus of generated sentences, made once."""
    if not (folder / "corpus/corpus.json").exists():
        lines = list(sentences(20_000))
        text = "\n\n".join("\n".join(lines[start : start + 8]) for start in range(0, len(lines), 8))
        (folder / "text.txt").write_text(text, encoding="utf-8")
        if not (folder / "vocabulary/vocab.txt").exists():
            subprocess.run(
                electra("vocab", folder / "text.txt", "--out", folder / "vocabulary", "--size", 300), check=True
            )
        prepare = ("prepare", folder / "text.txt", "--tokenizer", folder / "vocabulary", "--out", folder / "corpus")
        subprocess.run(electra(*prepare), check=True)
    return folder / "corpus"


def killed(command, run, log, rng, shortest, longest):
    """Start the command again and again, killing it after a while, until it ends by itself."""
    while True:
        process = subprocess.Popen(command)
        try:
            code = process.wait(rng.uniform(shortest, longest))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            with log.open("a") as file:
                file.write(json.dumps({"step": last_step(run), "clock": time.strftime("%T")}) + "\n")
            continue
        if code:
            raise SystemExit(f"the run ended with {code}")
        return


def settings_of(run, process):
    """The settings of a run, as soon as it has made its minutes steps."""
    while not (run / "settings.json").exists():
        if process.poll() is not None and not (run / "settings.json").exists():
            raise SystemExit(f"the run that is left alone ended with {process.returncode}")
        time.sleep(0.2)
    return json.loads((run / "settings.json").read_text())["settings"]


def last_step(run):
    """The last step that metrics.jsonl has a whole line of."""
    path = run / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    return json.loads(lines[-1])["step"] if lines else 0


def contents(run):
    """Every file by its sha256, and the metrics, without what the clock says; cards say it too."""
    files = {
        str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name not in ("metrics.jsonl", "state.json", "manifest.json", "README.md")
    }
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    kept = [record for record in records if record.get("finding") != "slower"]  # the clock's, too
    return files | {"metrics": [{k: v for k, v in record.items() if k not in TIMES} for record in kept]}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--minutes", type=float, default=60.0, help="of the run that is left alone")
    options.add_argument("--kill-after", type=float, nargs=2, default=(60.0, 120.0), help="seconds, from and to")
    options.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    options.add_argument("--keep", action="store_true", help="write what came of it into docs/long_runs.json")
    given = options.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    corpus, quiet, other = corpus_in(given.folder), given.folder / "quiet", given.folder / "killed"
    alone = subprocess.Popen(electra("pretrain", corpus, quiet, *SETTINGS, "--minutes", given.minutes))
    settings = settings_of(quiet, alone)
    length = ("--steps", settings["steps"], "--warmup-steps", settings["warmup_steps"])
    log, rng = given.folder / "kills.jsonl", random.Random(f"{given.seed} {time.time_ns()}")
    started = time.monotonic()
    killed(electra("pretrain", corpus, other, *SETTINGS, *length), other, log, rng, *given.kill_after)
    minutes = (time.monotonic() - started) / 60
    if code := alone.wait():
        raise SystemExit(f"the run that was left alone ended with {code}")
    kills = len(log.read_text().splitlines()) if log.exists() else 0
    expected, found = contents(quiet), contents(other)
    differing = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if given.keep:
        keep("soak", minutes=round(minutes, 1), steps=settings["steps"], kills=kills, differing=differing)
    print(
        f"{settings['steps']:,} steps, {kills} kills, {minutes:.0f} minutes: "
        + (f"{', '.join(differing)} differ" if differing else "every byte equal")
    )
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
