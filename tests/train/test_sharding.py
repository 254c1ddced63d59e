"""A network of which each of two processes holds a share (FSDP) is trained as by one process."""

import multiprocessing
import pickle
from datetime import timedelta

import numpy as np
import pytest
import torch
from torch import distributed

from harness.data_spec import IGNORED, Form
from harness.models import network_class
from harness.train import Checkpoints, Setting, train_in
from harness.train.data_parallel import TorchRanks
from harness.train.sharding import shard, sharding_refusal
from harness.trial import Record, State
from harness.workloads import Examples, Handling, TrialData
from harness.workloads.settings import read_settings

TOLERANCE = 1e-4  # relative, of losses: sums of parts are rounded otherwise than sums of wholes
WORKERS = 2
LORA = {"name": "lora", "rank": 3, "targets": "all"}
LLAMA = {
    "model_type": "llama", "hidden_size": 16, "intermediate_size": 32,
    "num_hidden_layers": 2, "num_attention_heads": 2,
}  # fmt: skip


def whole(name, **settings):
    """Return all settings of a network."""
    return network_class(name).model_validate({"name": name, **settings}).model_dump(mode="json")


def one_of_two(rank, folder, jobs, answers):
    """Train as one of two processes, and send back the records, and how much each holds."""
    torch.set_num_threads(1)
    store = distributed.FileStore(f"{folder}/meeting", WORKERS)
    limit = timedelta(seconds=600)
    distributed.init_process_group(
        "gloo", store=store, rank=rank, world_size=WORKERS, timeout=limit
    )
    ranks = TorchRanks(torch.device("cpu"), sharded=True)
    network = shard(torch.nn.Sequential(torch.nn.Linear(8, 6)), ranks, torch.device("cpu"))
    held = [value.to_local().numel() for value in network.parameters()]
    for number, (trial, data, checkpoints) in enumerate(jobs):
        setting = Setting(ranks=ranks, checkpoints=checkpoints)
        found = [event for event in train_in(setting, [trial], data) if isinstance(event, Record)]
        answers.put(pickle.dumps((number, rank, found[0], held)))
    distributed.destroy_process_group()


def by_two(folder, jobs):
    """Return the records of each of two processes, by job, and how many numbers each held."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    both = [
        context.Process(target=one_of_two, args=(rank, folder, jobs, answers))
        for rank in range(WORKERS)
    ]
    for process in both:
        process.start()
    found = [{} for _ in jobs]
    for _ in range(WORKERS * len(jobs)):
        number, rank, record, held = pickle.loads(answers.get())
        found[number][rank] = record, held
    for process in both:
        process.join()
        assert process.exitcode == 0
    return found


@pytest.fixture(scope="module")
def tokens():
    """Sequences whose padded positions do not count, unevenly many in each."""
    generator = np.random.default_rng(0)
    inputs = generator.integers(0, 5, (65, 6))
    targets = np.where(np.arange(6) < generator.integers(1, 7, (65, 1)), inputs, IGNORED)
    examples = Examples(inputs, targets)
    return TrialData("tokens", Form((6,), 5, "sequence", 5), examples, examples, Handling("random"))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"optimizer": {"name": "torch.optim:Rprop", "lr": 0.1, "settings": {}}},
            "every number of a weight",
        ),
        ({"transfer": {"freeze": 1, "unfreeze_every": 1}}, "layers would be unfrozen"),
        ({"task": {"name": "adversarial"}}, "takes steps of its own"),
        ({"task": {"name": "pruned_classification"}}, "takes steps of its own"),
        ({}, None),
    ],
)
def test_what_cannot_be_shared_out_is_said(make_trial, changes, why):
    settings = read_settings(make_trial(**changes).workload)
    found = sharding_refusal(settings.learns("class"), settings)
    assert (found is None) if why is None else (why in found)


@pytest.mark.slow
def test_two_processes_with_a_share_each_end_as_one(blobs, tokens, make_trial, tmp_path):
    place, saved = Checkpoints(str(tmp_path), epochs=2), make_trial(5, epochs=5)
    transformer = whole("transformer", layers=2, width=8, heads=2)
    adapted = whole("causal_lm", config=LLAMA, adapter=LORA, checkpointing=True)
    jobs = [
        (make_trial(0, epochs=4), blobs, None),  # 120 examples: the last batch of 32 has 24
        (make_trial(1, epochs=3, batch_size=7, clip=1.0, l1=0.01), blobs, None),  # and one of 1
        (make_trial(2, model=transformer, epochs=3, accumulate=3, batch_size=8), tokens, None),
        (make_trial(3, model=adapted, epochs=2), tokens, None),
        (saved, blobs, place),
        (saved, blobs, place),  # goes on after epoch 4
        (make_trial(4, model={"norm": "batch"}), blobs, None),
    ]
    *found, refused = by_two(tmp_path, jobs)
    for (trial, data, _), both in zip(jobs, found, strict=False):
        *_, alone = train_in(Setting(), [trial], data)
        (first, held), (second, other) = (both[rank] for rank in range(WORKERS))
        assert alone.state is State.COMPLETE, alone.reason
        assert first.state is State.COMPLETE, first.reason
        assert [sum(pair) for pair in zip(held, other, strict=True)] == [48, 6]
        assert max(held) <= 24
        assert first.deterministic_part() == second.deterministic_part()
        for point, expected in zip(first.curve, alone.curve, strict=True):
            assert point == pytest.approx(expected, rel=TOLERANCE, abs=1e-6)
        assert first.metrics == pytest.approx(alone.metrics, rel=TOLERANCE, abs=1e-6)
        assert first.cost["parameters"] == alone.cost["parameters"]
        assert first.cost.get("trained_parameters") == alone.cost.get("trained_parameters")
    (begun, _), (resumed, _) = found[4][1], found[5][1]
    assert resumed.cost["resumed_after_epoch"] == 4
    assert resumed.deterministic_part() == begun.deterministic_part()
    assert "batch normalization would see only a part of each batch" in refused[0][0].reason
