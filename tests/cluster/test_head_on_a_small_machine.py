"""A Ray of our own where memory is small, or cores are already used by other runs."""

import multiprocessing
import os
import re

import pytest

from harness.cluster.head import (
    Head,
    _crowd,
    available_cpus,
    clear_abandoned,
    cpus_of_others,
    temporary_folder,
)
from harness.cluster.ray_head import object_store

MB, GB = 2**20, 2**30


@pytest.mark.parametrize(
    ("free", "memory", "expected"),
    [
        (8 * GB, 16 * GB, None),  # Ray's own choice fits
        (GB, 64 * GB, int(0.9 * GB)),
        (64 * MB, 64 * GB, 2 * GB),  # in files: a container's usual /dev/shm
        (64 * MB, GB, int(0.3 * GB)),
    ],
)
def test_the_object_store_fits_what_there_is(free, memory, expected):
    assert object_store(free, memory) == expected


def _hold(cpus, ready, end):
    folder, lock = temporary_folder()
    lock.write(cpus)
    lock.flush()
    ready.set()
    end.wait()
    del folder


def test_cores_that_other_runs_were_given_are_counted_while_they_live(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    context = multiprocessing.get_context("fork")
    ready, end = [context.Event() for _ in "ab"], context.Event()
    before = cpus_of_others()
    others = [
        context.Process(target=_hold, args=(cpus, event, end))
        for cpus, event in zip(("3", ""), ready, strict=True)  # the second is a worker's luggage
    ]
    for other in others:
        other.start()
    for event in ready:
        event.wait()
    try:
        assert sorted(cpus_of_others()) == sorted([*before, 3])
    finally:
        end.set()
        for other in others:
            other.join()
    assert cpus_of_others() == before
    clear_abandoned()
    assert os.listdir(tmp_path) == []


def test_runs_that_share_cores_are_told_so_and_others_are_not():
    assert _crowd(4, [], 4) == ""
    assert _crowd(4, [4], 8) == ""
    assert _crowd(8, [4, 8], 8).startswith(
        "2 other runs of yours on this machine may use 12 of its 8 cores, this one 8"
    )


@pytest.mark.slow
def test_a_second_ray_of_ones_own_knows_of_the_first(monkeypatch):
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # is put back
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef" * 4)
    first = Head(None, 1)
    try:
        second = Head(None, 1)
        second.stop()
    finally:
        first.stop()
    assert re.match(r"\d+ other runs? of yours on this machine may use \d+ of its", second.crowd)
    assert f"this one {available_cpus()}: " in second.crowd
