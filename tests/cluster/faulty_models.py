"""Networks that go wrong in the ways a cluster knows, and leave marks in a folder when they do."""

import os
import signal
import time
from pathlib import Path

import ray
from torch import nn


def linear(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], classes))


def is_first(folder, mark):
    try:
        (Path(folder) / mark).open("x").close()
    except FileExistsError:
        return False
    return True


def crashing(shape, classes, folder):
    """Kill the first worker that takes it up, and no other."""
    if is_first(folder, "crashed"):
        os.kill(os.getpid(), signal.SIGKILL)
    return linear(shape, classes)


def poisonous(shape, classes):
    """Kill every worker that takes it up."""
    os.kill(os.getpid(), signal.SIGKILL)


def hanging(shape, classes):
    time.sleep(3600)


def raising(shape, classes, folder, times):
    """Raise so many times, as a file that is not there yet would.

    Twice for one failure: a trial that could be in a pack is tried alone before it fails.
    """
    if any(is_first(folder, f"raised-{number}") for number in range(times)):
        raise OSError("the file is not there yet")
    return linear(shape, classes)


def waiting(shape, classes, folder):
    """Say which node this is, then wait for the word to go on."""
    node = ray.get_runtime_context().get_node_id()
    is_first(folder, f"node-{node}")
    while not (Path(folder) / "go").exists():
        time.sleep(0.05)
    return linear(shape, classes)
