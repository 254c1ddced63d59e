"""A study whose trials take a while and some of which fail, and runs of it that can be killed."""

import os
import re
import signal
import subprocess
import sys
import time

from sharing import LEAN, ONE_WORKER

HARNESS = [sys.executable, "-m", "harness"]
NETWORKS = """
import time

from torch import nn


class Slow(nn.Module):
    def __init__(self, size, outputs, width, fails):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(size, width), nn.Linear(width, outputs))
        self.fails, self.steps = fails, 0

    def forward(self, inputs):
        self.steps += 1
        if self.steps % 20 == 0:
            time.sleep(0.15)
        if self.fails and self.steps > 60:
            raise RuntimeError("a layer of <b>my own</b> & its mistake")
        return self.net(inputs)


def network(shape, outputs, width=4, fails=False):
    size = 1
    for side in shape:
        size *= side
    return Slow(size, outputs, width, fails)
"""
STUDY = """
study: slow
question: Does the <i>width</i> matter?
workload:
  data: digits
  model: {name: "slow_networks:network", settings: {width: 4}}
  epochs: 6
factors:
  width: {path: model.settings.width, levels: [4, 32]}
arms:
  broken: {model.settings.fails: true}
simple_baseline: none
seeds: 7
resources: {cpus: 1}
prices: {device_hour: 3600, currency: EUR}
claims:
  - id: wider
    says: A wider network is more accurate
    metric: test.accuracy
    contrast: {width: [32, 4]}
    greater_by: 0.01
"""


def lay_out(folder):
    (folder / "slow_networks.py").write_text(NETWORKS)
    (folder / "slow.yaml").write_text(STUDY)
    return folder / "slow.yaml"


class Command:
    """A command of the harness in a folder, whose output is read line by line."""

    def __init__(self, folder, *arguments):
        self.process = subprocess.Popen(
            [*(LEAN if "run" in arguments else HARNESS), *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **ONE_WORKER, "COLUMNS": "200"},
        )

    def address(self):
        """Return the address that it tells first."""
        for line in self.process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
                return found.group()
        raise AssertionError("it told no address")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait()


def port_of(address):
    return re.search(r":(\d+)/", address).group(1)


def until(true, what):
    """Wait for what comes in its own time; the limit of pytest ends what never comes."""
    while not true():
        time.sleep(0.2)
    return what
