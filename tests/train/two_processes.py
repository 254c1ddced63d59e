"""Two processes on this machine that train one network together, through gloo."""

import multiprocessing
import pickle
from datetime import timedelta

import numpy as np
import pytest
import torch
from torch import distributed

from harness.data_spec import IGNORED, Form
from harness.train import Setting, train_in
from harness.train.data_parallel import TorchRanks
from harness.trial import Record, State
from harness.workloads import Examples, Handling, TrialData

WORKERS = 2
TOLERANCE = 1e-4  # relative, of losses: sums of parts are rounded otherwise than sums of wholes


def by_two(folder, jobs, prepare):
    """Train jobs, each (trial, data, checkpoints, whether the network is shared out), in turn.

    Return for each the record of both processes by rank, and what `prepare(ranks)` returned there,
    with ranks that share networks out.
    """
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    both = [
        context.Process(target=_one_of_two, args=(rank, folder, jobs, prepare, answers))
        for rank in range(WORKERS)
    ]
    for process in both:
        process.start()
    found = [{} for _ in jobs]
    prepared = {}
    for _ in range(WORKERS * len(jobs)):
        number, rank, record, prepared[rank] = pickle.loads(answers.get())
        found[number][rank] = record
    for process in both:
        process.join()
        assert process.exitcode == 0
    return found, prepared


def _one_of_two(rank, folder, jobs, prepare, answers):
    torch.set_num_threads(1)
    store = distributed.FileStore(f"{folder}/meeting", WORKERS)
    distributed.init_process_group(
        "gloo", store=store, rank=rank, world_size=WORKERS, timeout=timedelta(seconds=600)
    )
    ranks = {way: TorchRanks(torch.device("cpu"), sharded=way) for way in (False, True)}
    prepared = prepare(ranks[True])
    for number, (trial, data, checkpoints, sharded) in enumerate(jobs):
        setting = Setting(ranks=ranks[sharded], checkpoints=checkpoints)
        found = [event for event in train_in(setting, [trial], data) if isinstance(event, Record)]
        answers.put(pickle.dumps((number, rank, found[0], prepared)))
    distributed.destroy_process_group()


def by_one(trial, data):
    """Return the record of a trial that one process trains."""
    *_, record = train_in(Setting(), [trial], data)
    return record


def tokens_of(count):
    """Sequences whose padded positions do not count, unevenly many in each."""
    generator = np.random.default_rng(0)
    inputs = generator.integers(0, 5, (count, 6))
    targets = np.where(np.arange(6) < generator.integers(1, 7, (count, 1)), inputs, IGNORED)
    examples = Examples(inputs, targets)
    return TrialData("tokens", Form((6,), 5, "sequence", 5), examples, examples, Handling("random"))


def agrees(both, alone):
    """Check that both ended as one process does, but for rounding; return the record of one."""
    first, second = (both[rank] for rank in range(WORKERS))
    for record in (alone, first):
        assert record.state is State.COMPLETE, record.reason
    assert first.deterministic_part() == second.deterministic_part()
    for point, expected in zip(first.curve, alone.curve, strict=True):
        assert point == pytest.approx(expected, rel=TOLERANCE, abs=1e-6)
    assert first.metrics == pytest.approx(alone.metrics, rel=TOLERANCE, abs=1e-6)
    return first
