"""Kill a whole run with SIGKILL at random moments: it must go on and lose nothing."""

import json
import os
import random
import signal
import subprocess
import time

import pytest
from sharing import LEAN, ONE_WORKER

from harness.cli.app import run
from harness.store import open_store

pytestmark = pytest.mark.usefixtures("unmirrored", "unreported")


def command(study, folder, *options):
    return [
        "run", str(study), "--json", "--set", "workload.epochs=20", "--set", "search.candidates=2",
        "--results", str(folder / "results"), "--out", str(folder / "reports"), *options,
    ]  # fmt: skip


def start(study, folder, *options):
    """Start it in processes of their own, of which one is a worker."""
    return subprocess.Popen(
        [*LEAN, *command(study, folder, *options)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, **ONE_WORKER},
    )


def records(folder):
    store = open_store(folder / "results")
    found = {id_: store.record(id_) for id_ in store.states()}
    store.close()
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rounds", "options"), [(2, ["--in-process"]), (1, [])], ids=["in-process", "ray"]
)
def test_kill_9_of_the_process_group_loses_and_repeats_nothing(
    tiny, tmp_path, capsys, rounds, options
):
    def finish(folder):
        assert run(command(tiny, folder, "--in-process")) == 0
        return json.loads(capsys.readouterr().out)

    killed = tmp_path / "killed"
    moments = random.Random(5)
    seen: dict[str, float] = {}
    for _ in range(rounds):
        process = start(tiny, killed, *options)
        target = len(seen) + moments.randrange(1, 12)
        while process.poll() is None and _count(killed) < target:
            time.sleep(0.02)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        found = {id_: record.started for id_, record in records(killed).items()}
        assert all(found[id_] == started for id_, started in seen.items())
        seen = found
    if options:
        resumed = finish(killed)
    else:
        process = start(tiny, killed)
        resumed = json.loads(process.communicate()[0])
        assert process.returncode == 0
    assert resumed["trials"]["reused"] >= len(seen)
    after = records(killed)
    assert all(after[id_].started == started for id_, started in seen.items())
    whole = finish(tmp_path / "whole")
    assert {id_: r.deterministic_part() for id_, r in after.items()} == {
        id_: r.deterministic_part() for id_, r in records(tmp_path / "whole").items()
    }
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
