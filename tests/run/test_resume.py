"""Kill a whole run with SIGKILL at random moments: it must go on and lose nothing."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from sharing import TINY

from harness.store import open_store


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


@pytest.fixture(scope="module")
def whole(tmp_path_factory, template):
    """What an undisturbed run says, and its records."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "results").mkdir()
    shutil.copy(template, folder / "results" / "mlflow.db")
    (folder / "tiny.yaml").write_text(TINY)
    said = finish(folder / "tiny.yaml", folder, "--in-process")
    return said, {id_: r.deterministic_part() for id_, r in records(folder).items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rounds", "options"), [(1, ["--in-process"]), (2, [])], ids=["in-process", "ray"]
)
def test_kill_9_of_the_process_group_loses_and_repeats_nothing(
    tiny, tmp_path, whole, rounds, options
):
    whole, expected = whole
    moments = random.Random(5)
    seen: dict[str, float] = {}
    for _ in range(rounds):
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
