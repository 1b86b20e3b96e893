"""The commands of examples/cluster, run on this machine with two processes: asked to stop, continued, and one of them killed."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import yaml
from small_run import MODEL

from electra.training.run import RunFolder, read_metrics
from electra.weights.checkpoint import verify_manifest

CLUSTER = Path(__file__).parents[2] / "examples/cluster"
FLAGS = [
    "--steps",
    "100000",
    "--log-every",
    "1",
    "--checkpoint-every",
    "5",
    "--eval-every",
    "100000",
    "--batch-size",
    "8",
]
SRUN = '#!/bin/sh\nexec "$@"\n'
SCONTROL = '#!/bin/sh\nif [ "$1" = show ]; then echo localhost; echo other; else echo "$@" > "$REQUEUED"; fi\n'


@pytest.fixture(scope="module")
def folder(corpus, tmp_path_factory):
    """data/corpus and data/run, a recipe, and a Slurm of one machine."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "data").mkdir()
    (folder / "data/corpus").symlink_to(corpus)
    model = "\n".join(f"{key} = {value}" for key, value in MODEL.items())
    (folder / "recipe.toml").write_text(f'preset = "tiny"\nstart = "original"\nmax_length = 32\n[model]\n{model}\n')
    (folder / "bin").mkdir()
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL), ("python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')):
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    return folder


@pytest.fixture
def start(folder):
    """Start a command; what is left of it and of its children in the end is killed."""
    started = []

    def start(command, **variables):
        environment = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", **variables}
        with (folder / "told.txt").open("w") as told:
            process = subprocess.Popen(list(map(str, command)), env=environment, stderr=told, stdout=told)
        started.append(psutil.Process(process.pid))
        return process

    yield start
    for process in started:
        for each in [*family(process), process]:
            with suppress(psutil.NoSuchProcess):
                each.kill()


def family(process):
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def wait_for(process, folder, is_there):
    while not is_there():
        assert process.poll() is None, (folder / "told.txt").read_text()
        time.sleep(0.1)


def steps_made(folder):
    file = folder / "data/run/metrics.jsonl"
    return max((record["step"] for record in read_metrics(file)), default=0) if file.exists() else 0


def checkpoints(folder):
    return [int(path.name.partition("-")[2]) for path in RunFolder(folder / "data/run").steps()]


def kubernetes(**changes):
    """The command of the manifest's pods, with the variables that Kubernetes would put into it."""
    service, job = yaml.safe_load_all((CLUSTER / "pretrain.yaml").read_text())
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    # What must agree for the pods to find one another.
    assert int(variables["NODES"]) == job["spec"]["completions"] == job["spec"]["parallelism"]
    assert variables["FIRST"] == f"{job['metadata']['name']}-0.{pod['subdomain']}"
    assert service["metadata"]["name"] == pod["subdomain"]
    assert service["spec"]["selector"].items() <= job["spec"]["template"]["metadata"]["labels"].items()
    assert int(variables["TORCH_ELASTIC_SHUTDOWN_TIMEOUT"]) < pod["terminationGracePeriodSeconds"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    variables |= changes
    words = [*container["command"], *container["args"]]
    return [re.sub(r"\$\((\w+)\)", lambda found: variables[found[1]], word) for word in words], variables


def test_slurm_s_job_asked_to_stop_writes_a_checkpoint_and_queues_itself_again(folder, start):
    script, run = CLUSTER / "pretrain.sbatch", folder / "data/run"
    subprocess.run(["bash", "-n", script], check=True)
    process = start(
        ["bash", script, folder / "data/corpus", run, "--recipe", folder / "recipe.toml", *FLAGS],
        SLURM_NNODES="1", SLURM_JOB_NODELIST="here[1-2]", SLURM_JOB_ID="17", SLURM_CPUS_PER_TASK="2", PROCESSES="2",
        PORT="0", REQUEUED=str(folder / "requeued"),
    )  # fmt: skip
    wait_for(process, folder, lambda: steps_made(folder) >= 3)
    (launcher,) = psutil.Process(process.pid).children()
    assert len([each for each in launcher.children() if "pretrain" in each.cmdline()]) == 2
    launcher.send_signal(signal.SIGTERM)
    code, told = process.wait(timeout=60), (folder / "told.txt").read_text()
    assert code == 75, told
    assert (folder / "requeued").read_text() == "requeue 17\n"
    assert told.count("stopped by SIGTERM after step") == 1
    assert checkpoints(folder)[-1] == steps_made(folder)
    assert json.loads((run / "settings.json").read_text())["machine"]["processes"] == 2


@pytest.mark.fault(34)
def test_a_killed_process_ends_all_within_a_minute_and_a_whole_checkpoint_stays_behind(folder, start):
    """The run is the one above, continued under Kubernetes."""
    before = checkpoints(folder)[-1]
    command, variables = kubernetes(
        NODES="1",
        PROCESSES="2",
        FIRST="127.0.0.1",
        JOB_COMPLETION_INDEX="0",
        DATA=str(folder / "data"),
        OMP_NUM_THREADS="1",
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        command[command.index("--master-port=29500")] = f"--master-port={free.getsockname()[1]}"
    command[command.index("--preset=base")] = f"--recipe={folder / 'recipe.toml'}"
    process = start([*command, *FLAGS], **variables)
    wait_for(process, folder, lambda: checkpoints(folder)[-1] > before)
    workers = [each for each in psutil.Process(process.pid).children() if "pretrain" in each.cmdline()]
    (second,) = (each for each in workers if each.environ()["RANK"] == "1")
    second.kill()
    assert process.wait(timeout=60) == 1
    assert not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in workers)
    told = (folder / "told.txt").read_text()
    assert f"continuing after step {before:,}" in told
    assert "process 0 lost another of the run" in told
    last = RunFolder(folder / "data/run").newest(print)
    verify_manifest(last)

    alone = start(
        [sys.executable, "-m", "electra", "pretrain", folder / "data/corpus", folder / "data/run",
         "--recipe", folder / "recipe.toml", *FLAGS]
    )  # fmt: skip
    wait_for(alone, folder, lambda: "continuing after" in (folder / "told.txt").read_text())
    alone.send_signal(signal.SIGTERM)
    assert alone.wait(timeout=60) == 75
    assert f"continuing after step {int(last.name.partition('-')[2]):,}" in (folder / "told.txt").read_text()
