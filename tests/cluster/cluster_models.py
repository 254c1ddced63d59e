"""A user's own models, as a study names them: `cluster_models:function`."""

import gc
import os
import signal
import time

import torch
from torch import nn

from harness.workloads import Examples


def custom(function, **settings):
    """Return the model configuration that names a function of this module."""
    return {"name": f"cluster_models:{function}", "settings": settings}


def linear(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], classes))


def slow(shape, classes, seconds):
    """A network that takes its time at every step."""
    network = linear(shape, classes)
    network.register_forward_hook(lambda *_: time.sleep(seconds))
    return network


def hanging(*_, **__):
    """Never come back, as a network or as a training."""
    while True:
        time.sleep(0.1)


def raising(shape, classes):
    raise RuntimeError("this model cannot be built")


def dying(shape, classes):
    """Kill the worker from within, as a crash in native code would."""
    os.kill(os.getpid(), signal.SIGKILL)


def hunting(shape, classes):
    """Fail with a list of all the examples that this process can get hold of."""
    found = [thing for thing in gc.get_objects() if isinstance(thing, Examples)]
    modes = {True: "writeable", False: "read-only"}
    raise RuntimeError(sorted({(len(e), modes[e.inputs.flags.writeable]) for e in found}))


def telling(shape, classes):
    """Fail with what this process was set up with."""
    variables = [f"{name} {os.environ[f'{name}_NUM_THREADS']}" for name in ("OMP", "MKL")]
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signals = "SIGINT ignored" if ignored else "SIGINT not ignored"
    raise RuntimeError(" ".join([*variables, f"torch {torch.get_num_threads()}", signals]))
