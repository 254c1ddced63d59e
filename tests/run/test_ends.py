"""Signals of schedulers, terminals and people end a run; nothing is lost or left behind."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from sharing import LEAN, ONE_WORKER

from harness.cli.app import run as command

HARNESS = [sys.executable, "-m", "harness"]
RAYS_CORE = re.compile(r"^\[[^]]+\] core_worker\.cc:\d+: .*\n", re.M)
SAID = "harness: interrupted; everything recorded is kept, run again to go on\n"


class Run:
    """A run of its own session, with temporary folders of its own, that is to be ended."""

    def __init__(self, command, folder, temporary, environment):
        self.results, self.reports, self.temporary = (
            folder / "results",
            folder / "reports",
            temporary,
        )
        self.process = subprocess.Popen(
            [*command, "--results", str(self.results), "--out", str(self.reports)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, **environment, "TMPDIR": str(temporary)},
        )

    def ask(self, database, query):
        """Return what a database says now; nothing while it is not there or being made."""
        file = self.results / database
        if not file.is_file():
            return []
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        try:
            return [row[0] for row in connection.execute(query)]
        except sqlite3.OperationalError:
            return []
        finally:
            connection.close()

    def is_at(self, moment):
        """Tell by what it has written whether the run has come to a moment."""
        if moment == "Ray starts":
            return any(self.temporary.glob("harness-ray-*/r"))
        if moment == "trials run":
            return len(self.ask("harness.db", "SELECT trial_id FROM records")) >= 3
        return self.ask("harness.db", "SELECT status FROM executions") == ["finished"]

    def end(self, moment, number, *, group=False, again=False):
        """Signal it at a moment; return what it leaves: status, standard error, live processes."""
        while not self.is_at(moment):
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.05)
        family = psutil.Process(self.process.pid).children(recursive=True)
        self._send(number, group)
        while again and self.process.poll() is None:
            self._send(number, group)
            time.sleep(0.05)
        _, error = self.process.communicate()
        _, alive = psutil.wait_procs(family, timeout=600)
        # Ray's core may write a line where the signal has taken its own processes along; a setting
        # that silences it writes one at every start.
        error = RAYS_CORE.sub("", error)
        return self.process.returncode, error, [process.name() for process in alive]

    def _send(self, number, group):
        try:
            (os.killpg if group else os.kill)(self.process.pid, number)
        except ProcessLookupError:
            assert self.process.wait() is not None


@pytest.fixture
def start(tiny, tmp_path, template):
    """Start a run; its temporary folder has a name short enough for Ray's sockets."""
    (tmp_path / "results").mkdir()
    shutil.copy(template, tmp_path / "results" / "mlflow.db")
    with tempfile.TemporaryDirectory(dir="/tmp") as temporary:
        started = []

        def begin(*options, study=tiny, harness=HARNESS, environment=ONE_WORKER):
            options = ("--set", "workload.epochs=100", *options)  # it never ends by itself so soon
            asked = [*harness, "run", str(study), *options]
            started.append(Run(asked, tmp_path, Path(temporary), environment))
            return started[-1]

        yield begin
        for one in started:
            if one.process.poll() is None:
                os.killpg(one.process.pid, signal.SIGKILL)
                one.process.communicate()


QUICK = ("--set", "workload.epochs=1", "--set", "search.candidates=2")
SHORT = ("--set", "workload.epochs=20", "--set", "search.candidates=2", "--set", "claims=[]")
PARENTS = (
    "SELECT runs.status FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid"
    " WHERE tags.key = 'role' AND tags.value = 'execution'"
)
NO_SERVER = ("--tracking-uri", "http://127.0.0.1:9")
CASES = {
    "SIGTERM to all, as a scheduler": (signal.SIGTERM, "trials run", {"group": True}),
    "SIGHUP to the conductor, no server": (signal.SIGHUP, "trials run", {}, *NO_SERVER),
    "while Ray starts": (signal.SIGTERM, "Ray starts", {}),
    "while Ray starts, to all": (signal.SIGHUP, "Ray starts", {"group": True}),
    "while it judges": (signal.SIGTERM, "it judges", {}, *QUICK),
    "in-process, again and again": (signal.SIGHUP, "it judges", {"again": True}, "--in-process",
                                    *QUICK),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_signal_ends_a_run_in_order(start, case):
    number, moment, how, *options = CASES[case]
    all_at_once = how == {"group": True}
    harness = LEAN if all_at_once or moment == "it judges" else HARNESS
    run = start(*options, harness=harness, environment={} if all_at_once else ONE_WORKER)
    assert run.end(moment, number, **how) == (128 + number, SAID, [])
    assert list(run.temporary.glob("harness-ray-*")) == []
    begun = run.ask("harness.db", "SELECT status FROM executions")
    kept = run.ask("harness.db", "SELECT count(*) FROM records")
    if moment == "Ray starts":  # data are read meanwhile: there may be no database yet
        assert (begun, kept) in (([], []), ([], [0]))
    else:
        assert (begun, kept >= [3]) == (["interrupted"], True)


@pytest.mark.slow
def test_ctrl_c_again_and_again_keeps_everything_and_the_next_run_goes_on(
    start, tiny, capsys, unreported
):
    """As a terminal sends it: to the whole group; and nothing is left open in MLflow.

    An interrupted run waits for MLflow for a few seconds only; the next one closes the rest.
    """
    run = start(*SHORT)
    assert run.end("trials run", signal.SIGINT, group=True, again=True) == (130, SAID, [])
    assert list(run.temporary.glob("harness-ray-*")) == []
    (kept,) = run.ask("harness.db", "SELECT count(*) FROM records")
    places = ["--results", str(run.results), "--out", str(run.reports)]
    assert command(["run", str(tiny), "--in-process", "--json", *SHORT, *places]) == 0
    assert json.loads(capsys.readouterr().out)["trials"]["reused"] == kept >= 3
    assert "FINISHED" in run.ask("mlflow.db", PARENTS)
    assert set(run.ask("mlflow.db", "SELECT status FROM runs")) <= {"FINISHED", "KILLED"}


OWN = """\
study: own
question: Does it end?
workload: {data: digits, model: {name: "own:network", settings: {does: drop}}, optimizer: sgd,
  epochs: 2000}
factors: {rate: {path: optimizer.lr, levels: [0.1, 0.2]}}
seeds: 2
"""
MODULE = """\
import os, signal, time
from torch import nn

left = [signal.SIGTERM]

def network(shape, classes, does):
    layers = nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], classes))
    layers.register_forward_hook(globals()[does])
    return layers

def drop(*_):
    try:
        os.kill(os.getpid(), left.pop())
    except (IndexError, KeyboardInterrupt):
        pass

def sleep(*_):
    time.sleep(0.1)
"""


@pytest.fixture
def own(tmp_path):
    """A study whose network does something of its own at every step."""
    (tmp_path / "own.py").write_text(MODULE)
    (tmp_path / "own.yaml").write_text(OWN)
    return tmp_path / "own.yaml"


@pytest.mark.slow
def test_the_parent_run_of_an_interrupted_run_is_closed(start, own):
    run = start("--in-process", "--set", "workload.model.settings.does=sleep", study=own)
    run.is_at = lambda _: run.ask("mlflow.db", PARENTS) == ["RUNNING"]
    assert run.end("its parent run is open", signal.SIGINT, group=True) == (130, SAID, [])
    assert run.ask("mlflow.db", PARENTS) == ["KILLED"]


@pytest.mark.slow
def test_an_interruption_that_code_drops_comes_again(own):
    run = subprocess.run(
        [*LEAN, "run", str(own), "--in-process"],
        capture_output=True,
        text=True,
        cwd=own.parent,
        check=False,
        start_new_session=True,
    )
    assert (run.returncode, run.stderr) == (143, SAID)


@pytest.mark.slow
def test_a_run_that_is_to_outlive_its_terminal_does(start):
    """Under nohup a process begins with SIGHUP ignored, and so do those that it starts."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        run = start("--in-process", *SHORT)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert run.end("trials run", signal.SIGHUP, group=True)[:2] == (0, "")
    assert run.ask("harness.db", "SELECT status FROM executions") == ["finished"]


@pytest.mark.slow
def test_the_ui_ends_quietly(tmp_path):
    process = subprocess.Popen(
        [*HARNESS, "ui", "--port", "0", "--results", str(tmp_path / "results")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline().startswith("live page of runs: http://127.0.0.1")
    assert process.stdout.readline().startswith("MLflow UI: ")
    family = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGHUP)
    assert process.communicate() == ("", "")
    assert process.returncode == 0
    assert psutil.wait_procs(family, timeout=600)[1] == []


SLOW_TO_END = """
import sys, time
from contextlib import contextmanager
import harness.cli.results as results
import harness.track
from harness.cli.app import main

@contextmanager
def live_page(*arguments, **more):
    try:
        yield "http://127.0.0.1:1/"
    finally:
        time.sleep(2)
        print("the live page has ended", flush=True)

def serve_ui(*arguments, **more):
    print("serving", flush=True)
    while True:
        time.sleep(60)

results.live_page, harness.track.serve_ui = live_page, serve_ui
sys.argv = ["harness", "ui"]
main()
"""


def test_the_ui_ends_quietly_however_long_its_parts_take_to_end(tmp_path):
    """The signal is sent again and again meanwhile, in case that it was lost."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_TO_END],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline().startswith("live page of runs: ")
    assert process.stdout.readline() == "serving\n"
    process.terminate()
    assert process.communicate() == ("the live page has ended\n", "")
    assert process.returncode == 0
