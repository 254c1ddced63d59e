"""Timing blocks: each in a process of its own, that nothing else of the study runs beside.

Nothing here imports Ray or PyTorch but the process of a block.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import harness
from harness.cluster.executor import Key
from harness.cluster.head import temporary_folder, thread_variables
from harness.machine import machine
from harness.own import isolated
from harness.own.imports import Luggage
from harness.own.lookup import is_importable
from harness.tasks import needed
from harness.trial import Given, Record, State, Trial
from harness.workloads import TrialData

_HIDDEN = {"CUDA_VISIBLE_DEVICES": ""}


@dataclass(frozen=True)
class Block:
    """The trials of a block and what they are given.

    Attributes:
        trials: one for each arm, no two alike.
        data: without test splits, by fingerprint.
        given: what the trials use of stages.
        threads: of PyTorch.
        gpu: whether it may compute on a GPU.
        luggage: where own code is found.
    """

    trials: tuple[Trial, ...]
    data: Mapping[str, TrialData]
    given: Mapping[Key, Given] = field(default_factory=dict)
    threads: int = 1
    gpu: bool = False
    luggage: Luggage = field(default_factory=Luggage)


class Bench(Protocol):
    """Where blocks are measured: always the same machine."""

    machine: Mapping[str, Any]

    def measure(self, block: Block) -> list[Record]:
        """Return the record of each trial of a block; failed ones if its process came to grief."""

    def close(self) -> None:
        """Leave."""


class LocalBench:
    """Measures blocks on this machine, each in a fresh process."""

    def __init__(self, gpu: bool):
        self.machine: Mapping[str, Any] = machine(gpu)

    def measure(self, block: Block) -> list[Record]:
        """See `Bench`."""
        return in_fresh_process(block)

    def close(self) -> None:
        """Nothing is left."""


def in_fresh_process(block: Block) -> list[Record]:
    """Measure a block in a process that does nothing else; it ends when this one is interrupted."""
    source = [] if is_importable("harness") else [str(Path(harness.__file__).parents[1])]
    environment = {**os.environ, **thread_variables(block.threads), **isolated(*source)}
    begin = time.time()
    process = subprocess.Popen(
        [sys.executable, "-c", "from harness.cluster.blocks import main; main()"],
        env=environment if block.gpu else environment | _HIDDEN,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is this process's to handle
    )
    try:
        answer, _ = process.communicate(pickle.dumps(block))
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode == 0 and answer:
        records: list[Record] = pickle.loads(answer)
        return records
    ended = f"signal {-process.returncode}" if process.returncode < 0 else "an error"
    reason = f"the process of its block ended by {ended}"
    return [
        Record(trial, State.FAILED, reason, started=begin, ended=time.time())
        for trial in block.trials
    ]


def main() -> None:
    """Measure the block on standard input, and write the records to standard output."""
    block: Block = pickle.load(sys.stdin.buffer)
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what own code prints is no part of the answer
    lock: list[Any] = []

    def folder() -> str:
        made, held = temporary_folder()
        lock.append(held)
        return str(made)

    block.luggage.unpack(folder)
    from harness.train.timing import Subject, time_block

    subjects = [
        Subject(
            trial,
            block.data[trial.data_fingerprint],
            {role: block.given[key] for role, key in needed(trial.workload).items()},
        )
        for trial in block.trials
    ]
    pickle.dump(time_block(subjects, block.threads), answer)
    answer.flush()
    os._exit(0)  # threads of own code are not waited for
