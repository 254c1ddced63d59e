"""A worker that the system kills for lack of memory is told apart from one that crashes."""

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from sharing import LEAN

from harness.cluster.memory_kills import memory_kills
from harness.store import DATABASE, open_store
from harness.trial import State

GROUPS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes",
     "memory.oom_control"),
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", "memory.events"),
)  # fmt: skip
HOG = """
import os, sys
group, events = sys.argv[1:]
def killed():
    return [line for line in open(f"{group}/{events}") if line.startswith("oom_kill ")]
open("/proc/self/oom_score_adj", "w").write("-1000")
before, held = killed(), []
open(f"{group}/cgroup.procs", "w").write(str(os.getpid()))
while killed() == before:
    held.append(os.urandom(2**20))
"""
TRAINING = """\
import os
import pathlib
import time


def train(config, report):
    pathlib.Path(config["folder"], f"begun-{os.getpid()}").touch()
    while not pathlib.Path(config["folder"], "go").exists():
        time.sleep(0.1)
    report({"validation.accuracy": 0.5, "test.accuracy": 0.5})
"""
STUDY = """\
study: memory
question: What took the worker?
workload:
  training:
    {{name: "waiting_training:train", settings: {{folder: {folder}}}, metric: validation.accuracy}}
  epochs: 1
seeds: 2
simple_baseline: none
"""
TRIALS = 2


@pytest.mark.parametrize(
    ("line", "file", "text"),
    [
        ("0::/a/b", "groups/a/b/memory.events", "low 0\noom 3\noom_kill 2\noom_group_kill 9\n"),
        ("0::/host/only", "groups/memory.events", "oom_kill 2\n"),  # a container's own view
        ("7:memory:/a", "groups/memory/a/memory.oom_control", "under_oom 0\noom_kill 2\n"),
        ("0::/", "proc/vmstat", "nr_free_pages 5\noom_kill 2\n"),
    ],
)
def test_what_the_kernel_counts_is_found(tmp_path, line, file, text):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"3:cpu,cpuacct:/a\n{line}\n")
    assert memory_kills(tmp_path / "proc", tmp_path / "groups") is None
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    assert memory_kills(tmp_path / "proc", tmp_path / "groups") == 2


@pytest.fixture
def group():
    """A control group whose memory can be bounded: its folder, and the names of its files."""
    for top, *names in GROUPS:
        folder = top / f"harness-test-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            continue
        if (folder / names[0]).is_file():
            yield folder, *names
            for _ in range(100):
                try:
                    folder.rmdir()
                    return
                except OSError:  # a process of it is still ending
                    time.sleep(0.1)
        folder.rmdir()
    pytest.skip("no control group can be made here")


def worker_of(run, folder):
    """Wait until each of the two trials has a worker that trains, and return one of them."""
    while True:
        assert run.poll() is None
        begun = [int(file.name.removeprefix("begun-")) for file in folder.glob("begun-*")]
        alive = [pid for pid in begun if psutil.pid_exists(pid)]
        if len(alive) == TRIALS:
            return psutil.Process(alive[0])
        time.sleep(0.1)


def causes(folder):
    connection = sqlite3.connect(folder / "results" / DATABASE)
    found = [cause for (cause,) in connection.execute("SELECT cause FROM attempts")]
    connection.close()
    return found


@pytest.mark.slow
def test_a_real_worker_out_of_memory_is_not_taken_for_one_that_crashed(group, tmp_path):
    """In a bounded control group, a process that grows has the kernel kill a worker that trains."""
    folder, limit, usage, events = group
    (tmp_path / "waiting_training.py").write_text(TRAINING)
    (tmp_path / "memory.yaml").write_text(STUDY.format(folder=tmp_path))
    with (tmp_path / "log").open("w") as log:
        run = subprocess.Popen(
            ["/bin/sh", "-c", 'echo $$ > "$1" && shift && exec "$@"', "sh", folder / "cgroup.procs",
             *LEAN, "run", "memory.yaml", "--set", "resources.cpus=1"],
            cwd=tmp_path, stdout=log, stderr=log,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
    try:
        worker_of(run, tmp_path).kill()
        while not causes(tmp_path):
            assert run.poll() is None
            time.sleep(0.1)
        worker_of(run, tmp_path)
        most = int((folder / usage).read_text()) + 200 * 2**20
        (folder / limit).write_text(str(most))
        subprocess.run([sys.executable, "-c", HOG, folder, events], check=True)
        (folder / limit).write_text("max" if limit == "memory.max" else "-1")
        while len(causes(tmp_path)) < 2:
            assert run.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
        (tmp_path / "go").touch()
        assert run.wait() == 0, (tmp_path / "log").read_text()
    finally:
        run.kill()
        run.wait()
    first, second = causes(tmp_path)
    assert first.startswith("worker crashed: ")
    assert second == "out of memory: the system killed the worker because memory ran out"
    store = open_store(tmp_path / "results")
    found = [store.record(id_) for id_ in store.states()]
    store.close()
    assert {one.state for one in found} == {State.COMPLETE}
    assert sum(one.attempt for one in found) == len(found) + 2
