"""Kill a whole run with SIGKILL at random moments: it must go on and lose nothing."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from harness.store import open_store

ROUNDS = 3


def command(study, folder, *options):
    return [
        sys.executable, "-m", "harness", "run", str(study), "--json", "--set", "workload.epochs=4",
        "--results", str(folder / "results"), "--out", str(folder / "reports"), *options,
    ]  # fmt: skip


def finish(study, folder, *options):
    ended = subprocess.run(
        command(study, folder, *options), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def records(folder):
    store = open_store(folder / "results")
    found = {id_: store.record(id_) for id_ in store.states()}
    store.close()
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)  # five starts of Ray, on a machine that may be busy
@pytest.mark.parametrize("options", [["--in-process"], []], ids=["in-process", "ray"])
def test_kill_9_of_the_process_group_loses_and_repeats_nothing(tiny, tmp_path, options):
    whole = finish(tiny, tmp_path / "whole", "--in-process")
    expected = {id_: r.deterministic_part() for id_, r in records(tmp_path / "whole").items()}
    moments = random.Random(5)
    seen: dict[str, float] = {}
    for _ in range(ROUNDS):
        process = subprocess.Popen(
            command(tiny, tmp_path / "killed", *options),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        target = len(seen) + moments.randrange(1, 12)
        while process.poll() is None and _count(tmp_path / "killed") < target:
            time.sleep(0.02)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        found = {id_: record.started for id_, record in records(tmp_path / "killed").items()}
        assert all(found[id_] == started for id_, started in seen.items())
        seen = found
    resumed = finish(tiny, tmp_path / "killed", *options)
    assert resumed["trials"]["reused"] >= len(seen)
    after = records(tmp_path / "killed")
    assert all(after[id_].started == started for id_, started in seen.items())
    assert {id_: r.deterministic_part() for id_, r in after.items()} == expected
    keep = ("verdict", "effect", "ci_low", "ci_high", "p_value", "trials")
    assert [[c[k] for k in keep] for c in resumed["claims"]] == [
        [c[k] for k in keep] for c in whole["claims"]
    ]


def _count(folder):
    if not (folder / "results" / "harness.db").is_file():
        return 0
    store = open_store(folder / "results")
    count = len(store.states())
    store.close()
    return count


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_keeps_everything(tiny, tmp_path):
    process = subprocess.Popen(
        [*command(tiny, tmp_path), "--set", "workload.epochs=30"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while _count(tmp_path) < 3:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "run again to go on" in err
    assert "Traceback" not in err
    kept = _count(tmp_path)
    assert kept >= 3
    again = finish(tiny, tmp_path, "--set", "workload.epochs=30", "--in-process")
    assert again["trials"]["reused"] == kept
