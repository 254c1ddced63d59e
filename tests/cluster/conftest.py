"""One data set, one Ray and one way to make trials for all tests of the executors."""

import tempfile
import time
from pathlib import Path

import pytest

from harness.cluster import LocalExecutor, Lost, open_executor
from harness.study import load_study
from harness.trial import Phase, Progress, Record, Trial
from harness.workloads import load

STUDY = Path(__file__).parents[2] / "studies" / "activations.yaml"


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    return load({"name": "digits"}, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def make_trial(digits):
    """Make a small trial of a study's first arm; settings replace parts of its workload."""
    base = load_study(STUDY, "quick").arms[0].workload

    def make(seed=0, phase=Phase.SEARCH, probes=(), **settings):
        workload = {**base, "epochs": 2, **settings}
        return Trial(workload, seed, phase, digits.fingerprint, "test", tuple(probes))

    return make


@pytest.fixture(scope="module")  # no longer: a process has one Ray, and others start their own
def ray_executor(digits):
    executor = open_executor(slots=2)
    executor.provide(digits)
    yield executor
    executor.close()


@pytest.fixture(params=["in-process", pytest.param("ray", marks=pytest.mark.slow)])
def executor(request, digits):
    if request.param == "ray":
        yield request.getfixturevalue("ray_executor")
    else:
        local = LocalExecutor()
        local.provide(digits)
        yield local
        local.close()


@pytest.fixture
def collect():
    """Read events until so many trials have ended, by a record or a loss."""

    def read(executor, endings, seconds=900.0):
        events, ended, deadline = [], 0, time.monotonic() + seconds
        while ended < endings:
            assert time.monotonic() < deadline, f"{ended} of {endings} trials ended: {events}"
            for event in executor.events(1.0):
                events.append(event)
                if isinstance(event, Lost):
                    ended += len(event.pack.trials)
                ended += isinstance(event, Record)
        return events

    return read


@pytest.fixture
def points():
    """Gather the progress of each trial, in the order of arrival."""

    def gather(events):
        curves = {}
        for event in events:
            if isinstance(event, Progress):
                curves.setdefault(event.trial_id, []).extend(event.points)
        return curves

    return gather


@pytest.fixture
def folder():
    """A folder whose name is short enough for Ray's sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as short:
        yield Path(short)
