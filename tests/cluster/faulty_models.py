"""Networks that go wrong in the ways a cluster knows, and leave marks in a folder when they do."""

import os
import signal
import time
from pathlib import Path

import ray
from torch import nn


def linear(shape, classes, fault):
    """Return a network with a fault in its fifth step: the dry run before the trials is fine."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], classes))
    network.calls = 0

    def count(*_):
        network.calls += 1
        if network.calls == 5:
            fault()

    network.register_forward_hook(count)
    return network


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def is_first(folder, mark):
    try:
        (Path(folder) / mark).open("x").close()
    except FileExistsError:
        return False
    return True


def crashing(shape, classes, folder):
    """Kill the first worker that trains it, and no other."""
    return linear(shape, classes, lambda: is_first(folder, "crashed") and die())


def poisonous(shape, classes):
    """Kill every worker that trains it."""
    return linear(shape, classes, die)


def raising(shape, classes, folder):
    """Raise in the first trial that trains it, as a file that is not there yet would."""

    def fault():
        if is_first(folder, "raised"):
            raise OSError("the file is not there yet")

    return linear(shape, classes, fault)


def waiting(shape, classes, folder):
    """Say which node this is, then wait for the word to go on."""

    def fault():
        node = ray.get_runtime_context().get_node_id()
        is_first(folder, f"node-{node}")
        while not (Path(folder) / "go").exists():
            time.sleep(0.05)

    return linear(shape, classes, fault)


def meeting(shape, classes, folder):
    """Wait until a second process trains as well."""

    def fault():
        (Path(folder) / f"process-{os.getpid()}").touch()
        while len(list(Path(folder).glob("process-*"))) < 2:
            time.sleep(0.05)

    return linear(shape, classes, fault)


def sharing(shape, classes, folder):
    """Say which GPUs this process sees, then wait a while until four processes have said so."""

    def fault():
        (Path(folder) / f"gpus-{os.getpid()}").write_text(os.environ["CUDA_VISIBLE_DEVICES"])
        end = time.monotonic() + 300
        while len(list(Path(folder).glob("gpus-*"))) < 4 and time.monotonic() < end:
            time.sleep(0.05)

    return linear(shape, classes, fault)
