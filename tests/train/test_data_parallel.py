"""Two processes that train one network together end as one process does, but for rounding."""

import multiprocessing
import pickle
from datetime import timedelta

import numpy as np
import pytest
import torch
from torch import distributed

from harness.data_spec import IGNORED, Form
from harness.train import Checkpoints, Setting, train_in
from harness.train.data_parallel import TorchRanks
from harness.trial import Record, State
from harness.workloads import Examples, Handling, TrialData

TOLERANCE = 1e-4  # relative, of losses: sums of parts are rounded otherwise than sums of wholes


def one_of_two(rank, folder, jobs, answers):
    """Train as one of two processes, and send back the records."""
    torch.set_num_threads(1)
    store = distributed.FileStore(f"{folder}/meeting", 2)
    limit = timedelta(seconds=600)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=2, timeout=limit)
    ranks = TorchRanks(torch.device("cpu"))
    for trial, data, checkpoints in jobs:
        setting = Setting(ranks=ranks, checkpoints=checkpoints)
        found = [event for event in train_in(setting, [trial], data) if isinstance(event, Record)]
        answers.put(pickle.dumps((rank, found[0])))
    distributed.destroy_process_group()


def by_two(tmp_path, jobs):
    """Return the records of each of two processes, by trial."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    both = [
        context.Process(target=one_of_two, args=(rank, tmp_path, jobs, answers)) for rank in (0, 1)
    ]
    for process in both:
        process.start()
    found = {}
    for _ in range(2 * len(jobs)):
        rank, record = pickle.loads(answers.get())
        found.setdefault(record.trial_id, {})[rank] = record
    for process in both:
        process.join()
        assert process.exitcode == 0
    return found


def by_one(trial, data):
    *_, record = train_in(Setting(), [trial], data)
    return record


@pytest.fixture(scope="module")
def tokens():
    """Sequences whose padded positions do not count, unevenly many in each."""
    generator = np.random.default_rng(0)
    inputs = generator.integers(0, 5, (64, 6))
    targets = np.where(np.arange(6) < generator.integers(1, 7, (64, 1)), inputs, IGNORED)
    examples = Examples(inputs, targets)
    return TrialData("tokens", Form((6,), 5, "sequence", 5), examples, examples, Handling("random"))


RECURRENT = {
    "name": "recurrent", "cell": "gru", "layers": 1, "width": 8, "embedding": 4, "dropout": 0.0,
    "bidirectional": False, "pooling": "last", "initialization": "torch", "forget_bias": None,
}  # fmt: skip


@pytest.mark.slow
def test_two_processes_end_as_one(blobs, tokens, make_trial, tmp_path):
    place, saved = Checkpoints(str(tmp_path), epochs=2), make_trial(5, epochs=6)
    events = train_in(Setting(checkpoints=place), [saved], blobs)
    while next(events).points[-1]["epoch"] < 5:
        pass
    events.close()
    jobs = [
        (make_trial(0, epochs=5), blobs, None),  # 120 examples: the last batch of 32 has 24
        (make_trial(1, epochs=5, batch_size=7, clip=1.0), blobs, None),  # odd batches; one of 1
        (make_trial(2, epochs=5, schedule={"name": "cosine", "final": 0.0}), blobs, None),
        (make_trial(3, model=RECURRENT, epochs=3), tokens, None),
        (saved, blobs, place),
        (make_trial(4, model={"norm": "batch"}), blobs, None),
    ]
    found = by_two(tmp_path, jobs)
    for trial, data, _ in jobs[:-1]:
        alone, (first, second) = by_one(trial, data), (found[trial.id][rank] for rank in (0, 1))
        assert alone.state is State.COMPLETE, alone.reason
        assert first.state is State.COMPLETE, first.reason
        assert first.deterministic_part() == second.deterministic_part()
        for point, expected in zip(first.curve, alone.curve, strict=True):
            assert point == pytest.approx(expected, rel=TOLERANCE, abs=1e-6)
        assert first.metrics == pytest.approx(alone.metrics, rel=TOLERANCE, abs=1e-6)
        assert set(first.outcomes) == set(alone.outcomes)
        for name, values in alone.outcomes.items():  # whole, and in the order of the examples
            assert first.outcomes[name] == pytest.approx(values, rel=1e-3, abs=1e-5), name
    assert found[saved.id][1].cost["resumed_after_epoch"] == 4
    refused = found[jobs[-1][0].id][0]
    assert refused.state is State.FAILED
    assert "batch normalization would see only a part of each batch" in refused.reason
