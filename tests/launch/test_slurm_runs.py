"""A study on a real SLURM goes on after its time limit and after a requeue, and loses nothing."""

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from sharing import LEAN
from slurm_room import SlurmRoom, missing

from harness.cli.app import run
from harness.store import open_store

STUDY = """\
study: queued
question: Does a placebo help?
workload:
  training: {name: "slow_training:train", settings: {poison: false}, metric: validation.accuracy}
  epochs: 1
factors:
  poison: {path: training.settings.poison, levels: [false, true]}
seeds: 26
claims:
  - id: poison-hurts
    says: Poison costs at least 0.2
    metric: test.accuracy
    contrast: {poison: [false, true]}
    greater_by: 0.2
"""
TRAINING = """\
import os
import random
import time
from pathlib import Path


def train(config, report):
    time.sleep(float(Path(os.environ["SECONDS_OF_A_TRIAL"]).read_text()))
    value = 0.8 + random.Random(config["seed"]).gauss(0, 0.01) - 0.3 * bool(config["poison"])
    report({"validation.accuracy": value, "test.accuracy": value})
"""
TRIALS = 52
PATIENCE = 900  # seconds that a machine may take for what takes it one minute
COMPARED = ("verdict", "effect", "ci_low", "ci_high", "p_value", "trials")


@pytest.fixture
def room():
    """A SLURM of two machines, in a folder that its password service may use."""
    if why := missing():
        pytest.skip(why)
    folder = Path(tempfile.mkdtemp(prefix="harness-slurm-", dir="/tmp"))
    folder.chmod(0o755)
    slurm = SlurmRoom(folder)
    try:
        yield slurm
    finally:
        slurm.close()
        shutil.rmtree(folder, ignore_errors=True)


def records(folder):
    store = open_store(folder / "results")
    found = {id_: store.record(id_) for id_ in store.states()}
    store.close()
    return found


def minutes(job):
    """Return for how many minutes a job has run; SLURM says [days-]hours:minutes:seconds."""
    days, _, clock = job["RunTime"].rpartition("-")
    hours, gone, _ = map(int, clock.split(":"))
    return (int(days or 0) * 24 + hours) * 60 + gone


@pytest.mark.slow
@pytest.mark.timeout(5 * PATIENCE)
@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_a_job_goes_on_after_its_time_limit_and_after_a_requeue(room, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slow_training.py").write_text(TRAINING)
    (tmp_path / "queued.yaml").write_text(STUDY)
    seconds = room.folder / "seconds"
    seconds.write_text("0")
    monkeypatch.setenv("SECONDS_OF_A_TRIAL", str(seconds))
    peace = ["--results", "peace/results", "--out", "peace/reports"]
    command = ["run", "queued.yaml", "--in-process", "--json"]
    assert run([*command, *peace]) == 0
    expected = json.loads(capfd.readouterr().out.splitlines()[-1])

    lean = f'harness() {{ exec {shlex.join(LEAN)} "$@"; }}'
    launch = ["launch", "slurm", "queued.yaml", "--nodes", "2", "--time", "2 h", "--grace", "600",
              "--setup", lean]  # fmt: skip
    assert run(launch) == 0
    file = tmp_path / "results/launch/queued.sbatch"
    seconds.write_text("10")  # two minutes for all
    done = subprocess.run(
        ["sbatch", "--parsable", str(file)],
        env={**os.environ, **room.environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    number = done.stdout.strip()

    def await_more_than(known):
        room.await_job(number, lambda _: len(records(tmp_path)) > len(known), PATIENCE)

    await_more_than([])
    soon = minutes(room.job(number)) + 10  # less than the grace is left now, and enough to end
    room.run("scontrol", "update", f"JobId={number}", f"TimeLimit={soon}")
    room.await_job(number, lambda job: job["Restarts"] == "1", PATIENCE)
    first = records(tmp_path)
    assert 0 < len(first) < TRIALS
    room.run("scontrol", "update", f"JobId={number}", "TimeLimit=120")
    await_more_than(first)
    room.run("scontrol", "requeue", number)  # as a scheduler does for a job that goes first
    second = records(tmp_path)
    assert len(second) < TRIALS
    seconds.write_text("0.2")
    job = room.await_job(
        number, lambda job: job["Restarts"] == "2" and job["JobState"] == "COMPLETED", PATIENCE
    )
    said = (tmp_path / f"results/launch/queued.{number}.log").read_text()
    assert job["ExitCode"] == "0:0", said
    for machine in "01":
        told = (tmp_path / f"results/launch/queued.{number}.ray-{machine}.log").read_text()
        assert told.count("Ray runtime started") >= 2, told

    found = records(tmp_path)
    for earlier in (first, second):  # nothing was lost, nothing trained twice
        assert all(found[id_].started == record.started for id_, record in earlier.items())
    peaceful = records(tmp_path / "peace")
    assert {id_: one.deterministic_part() for id_, one in found.items()} == {
        id_: one.deterministic_part() for id_, one in peaceful.items()
    }
    assert said.count("the job queues itself again") == 1
    status = run(command)
    again = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert status == 0
    assert again["trials"]["reused"] == len(found)
    assert [[one[key] for key in COMPARED] for one in again["claims"]] == [
        [one[key] for key in COMPARED] for one in expected["claims"]
    ]
