"""Trainings of a user's own on several workers that go wrong, each in a way of its own."""

import os
import signal
from pathlib import Path

import torch
from torch import distributed


def step(rank):
    """Wait for the other worker, as a training step does."""
    distributed.all_reduce(torch.ones(1) * rank)


def raising(config, report):
    """Raise on the second worker, while the first one waits for it."""
    for epoch in range(config["epochs"]):
        if distributed.get_rank() == 1 and epoch == 1:
            raise OSError("the second worker has no disk")
        step(distributed.get_rank())
        report({"validation.accuracy": 0.5})


def silent(config, report):
    """Report on the first worker alone."""
    for _ in range(config["epochs"]):
        if distributed.get_rank() == 0:
            report({"validation.accuracy": 0.5})


def ending(config, report):
    """End the process group, as a script does that has set it up."""
    for _ in range(config["epochs"]):
        step(distributed.get_rank())
        report({"validation.accuracy": 0.5})
    distributed.destroy_process_group()


def dying(config, report):
    """Kill the second worker once, while the first one waits for it."""
    mark = Path(config["folder"]) / "died"
    for epoch in range(config["epochs"]):
        if distributed.get_rank() == 1 and epoch == 1 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        step(distributed.get_rank())
        report({"validation.accuracy": 0.25 + distributed.get_rank()})


def faulty(config, report):
    """Go wrong as the settings say for this seed."""
    {"raising": raising, "silent": silent, "ending": ending, "dying": dying}[
        config["faults"][config["seed"]]
    ](config, report)
