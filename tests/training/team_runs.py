"""Runs of several real processes: python team_runs.py CORPUS FOLDER

Each process is forked after the imports, so that many runs cost seconds. A process leaves the batches that it trained on in
FOLDER/NAME-FIRST-RANK.npz, and the exit codes of all runs are printed as JSON.
"""

import json
import os
import resource
import signal
import socket
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed.fsdp
import torch.fx.experimental.symbolic_shapes  # what the first step imports otherwise, in each process

import electra.torch.backend
from electra.errors import ElectraError
from electra.training.pretrain import pretrain

sys.path.insert(0, str(Path(__file__).parent))
from small_run import MODEL, small_settings

CORPUS, FOLDER = map(Path, sys.argv[1:3])
OFF = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
STARVING = dict(batch_size=6000, max_length=64, steps=2, eval_every=2, eval_rows=16, checkpoint_every=1)
# name, processes, (rank, step) that SIGTERM is sent to and before, settings
RUNS = (
    ("one", 1, None, {}),
    ("two", 2, None, {}),
    ("four", 4, None, {}),
    ("three", 3, None, dict(accumulate=2)),
    ("sharded", 2, None, dict(parallel="fsdp", accumulate=2)),
    ("changing", 4, (3, 3), {}),
    ("changing", 2, (0, 7), dict(parallel="fsdp")),
    ("changing", 1, None, dict(accumulate=4)),
    ("half", 1, None, dict(precision="bfloat16")),
    ("half sharded", 2, None, dict(precision="bfloat16", parallel="fsdp")),
    *(
        (f"{name}{also}", size, None, settings | more)
        for name, settings, other in (
            ("disentangled", dict(steps=3, embedding_sharing="gdes"), dict(parallel="fsdp")),
            (
                "copying",
                dict(steps=3, objective="all_tokens_mlm", generator="tied", generator_width=None),
                dict(parallel="fsdp"),
            ),
            ("towers", dict(steps=3, objective="electric", generator="two_towers"), {}),
        )
        for also, size, more in (("", 1, {}), (" on two", 2, other))
    ),
    ("diverging", 2, None, dict(learning_rate=1e30, clip_norm=1e30, warmup_steps=0)),
    ("returning", 2, None, dict(on_divergence="return")),
    ("returning sharded", 2, None, dict(on_divergence="return", parallel="fsdp")),
    ("starving", 2, (1, 0), STARVING),
    ("starving", 2, None, STARVING),
    ("starving", 2, None, STARVING | dict(accumulate=16)),
)
FLIP = {"returning": (1, 8), "returning sharded": (1, 8)}  # (rank, step) in which a weight becomes infinite, once
# (rank, bytes) of memory that a process gets beyond its networks, from the second run of the name on
ROOM = {"starving": (1, 300 << 20)}


class Recording(electra.torch.backend.Backend):
    """The real one, which writes down what it is given, and is asked to stop at a step."""

    stop_before = None
    flip = None
    room = None
    last = None  # the one that was made last
    seen: dict[str, np.ndarray] = {}  # noqa: RUF012 - of this process

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        Recording.last = self
        if self.room and self.room[0] == self.rank:
            held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (held + self.room[1], resource.RLIM_INFINITY))

    def train_step(self, parts, *, step, learning_rate):
        if (self.rank, step) == self.flip:
            Recording.flip = None
            with torch.no_grad():
                next(iter(self.models["discriminator"].parameters())).mul_(float("inf"))
        if (self.rank, step) == self.stop_before:
            os.kill(os.getpid(), signal.SIGTERM)
        for kind in (0, 1):
            write_down([part[kind] for part in parts], f"{step} {kind}", self.seen)
        return super().train_step(parts, step=step, learning_rate=learning_rate)


def write_down(values, name, seen):
    for field in ("input_ids", "attention_mask", "positions", "original_ids", "weights", "noise"):
        if hasattr(values[0], field):
            seen[f"{name} {field}"] = np.concatenate([getattr(value, field) for value in values])


def attempt(name, rank, size, port, stop_before, changes):
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    before = len(list(FOLDER.glob(f"{name}-*-{rank}.npz")))  # runs of this name
    Recording.stop_before, Recording.flip = stop_before, FLIP.get(name)
    Recording.room = ROOM.get(name) if before else None
    electra.torch.backend.Backend = Recording
    settings = small_settings(
        **dict(steps=12, log_every=1, eval_every=6, checkpoint_every=6, model=MODEL | OFF) | changes
    )
    try:
        code = pretrain(settings, CORPUS, FOLDER / name, panel=False).exit_code
    except ElectraError as error:
        os.write(2, f"{name}, process {rank}: {error}\n".encode())  # at once: two processes write here
        code = error.exit_code
    if name == "returning":
        np.savez(FOLDER / f"{name}.{rank}.npz", **Recording.last.models["discriminator"].state_dict())
    np.savez(FOLDER / f"{name}-{before}-{rank}.npz", **Recording.seen)
    return code


def main():
    torch.set_num_threads(1)
    ended = []
    for name, size, stop_before, changes in RUNS:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        children = []
        for rank in range(size):
            child = os.fork()
            if child == 0:
                code = 70
                try:
                    code = attempt(name, rank, size, port, stop_before, changes)
                finally:
                    sys.stderr.flush()
                    if sys.exc_info()[0]:
                        sys.excepthook(*sys.exc_info())
                    os._exit(code)
            children.append(child)
        ended.append([name, [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]])
    print(json.dumps(ended))


if __name__ == "__main__":
    main()
