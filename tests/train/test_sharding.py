"""Two processes that train one network together end as one process does, but for rounding.

Each holds the whole network, or a share of it (FSDP).
"""

import pytest
import torch
from two_processes import agrees, by_one, by_two, tokens_of

from harness.models import network_class
from harness.train import Checkpoints, Setting, train_in
from harness.train.sharding import shard, sharding_refusal
from harness.trial import State
from harness.workloads.settings import read_settings

LORA = {"name": "lora", "rank": 3, "targets": "all"}
LLAMA = {
    "model_type": "llama", "hidden_size": 16, "intermediate_size": 32,
    "num_hidden_layers": 2, "num_attention_heads": 2,
}  # fmt: skip


RECURRENT = {
    "name": "recurrent", "cell": "gru", "layers": 1, "width": 8, "embedding": 4, "dropout": 0.0,
    "bidirectional": False, "pooling": "last", "initialization": "torch", "forget_bias": None,
}  # fmt: skip


def whole(name, **settings):
    """Return all settings of a network."""
    return network_class(name).model_validate({"name": name, **settings}).model_dump(mode="json")


def held(ranks):
    """Return how many numbers of each tensor of a small network a process holds."""
    network = shard(torch.nn.Sequential(torch.nn.Linear(8, 6)), ranks, torch.device("cpu"))
    return [value.to_local().numel() for value in network.parameters()]


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


def jobs_of(blobs, make_trial, folder):
    """Trials of processes that each hold the whole network."""
    place, saved = Checkpoints(str(folder), epochs=2), make_trial(5, epochs=6)
    events = train_in(Setting(checkpoints=place), [saved], blobs)
    while next(events).points[-1]["epoch"] < 5:
        pass
    events.close()
    return [
        (make_trial(0), blobs, None),  # 120 examples: the last batch of 32 has 24
        (make_trial(1, epochs=2, batch_size=7, clip=1.0), blobs, None),  # odd batches; one of 1
        (make_trial(2, schedule={"name": "cosine", "final": 0.0}), blobs, None),
        (make_trial(3, model=RECURRENT, epochs=2), tokens_of(64), None),
        (saved, blobs, place),
        (make_trial(4, model={"norm": "batch"}), blobs, None),
    ]


def jobs_of_shares(blobs, make_trial, folder):
    """Trials of processes that each hold a share of the network."""
    tokens = tokens_of(65)
    place, saved = Checkpoints(str(folder), epochs=2), make_trial(5, epochs=5)
    transformer = whole("transformer", layers=2, width=8, heads=2)
    adapted = whole("causal_lm", config=LLAMA, adapter=LORA, checkpointing=True)
    return [
        (make_trial(0, epochs=2), blobs, None),  # 120 examples: the last batch of 32 has 24
        (make_trial(1, epochs=2, batch_size=7, clip=1.0, l1=0.01), blobs, None),  # and one of 1
        (make_trial(2, model=transformer, epochs=2, accumulate=3, batch_size=8), tokens, None),
        (make_trial(3, model=adapted, epochs=2), tokens, None),
        (saved, blobs, place),
        (saved, blobs, place),  # goes on after epoch 4
        (make_trial(4, model={"norm": "batch"}), blobs, None),
    ]


@pytest.fixture(scope="module")
def both(blobs, make_trial, tmp_path_factory):
    """Both kinds of jobs with the records of both processes, and how much of a network each held.

    They are trained by one pair of processes: to start one takes longer than all jobs.
    """
    kinds = [
        (jobs_of(blobs, make_trial, tmp_path_factory.mktemp("whole")), False),
        (jobs_of_shares(blobs, make_trial, tmp_path_factory.mktemp("shares")), True),
    ]
    jobs = [(*job, sharded) for some, sharded in kinds for job in some]
    found, numbers = by_two(tmp_path_factory.mktemp("meeting"), jobs, held)
    first, second = (some for some, _ in kinds)
    return (first, found[: len(first)]), (second, found[len(first) :]), numbers


@pytest.mark.slow
def test_two_processes_end_as_one(both):
    (jobs, (*found, refused)), _, _ = both
    for (trial, data, _), records in zip(jobs, found, strict=False):
        alone = by_one(trial, data)
        first = agrees(records, alone)
        assert set(first.outcomes) == set(alone.outcomes)
        for name, values in alone.outcomes.items():  # whole, and in the order of the examples
            assert first.outcomes[name] == pytest.approx(values, rel=1e-3, abs=1e-5), name
    assert found[4][1].cost["resumed_after_epoch"] == 4
    assert refused[0].state is State.FAILED
    assert "batch normalization would see only a part of each batch" in refused[0].reason


@pytest.mark.slow
def test_two_processes_with_a_share_each_end_as_one(both):
    _, (jobs, (*found, refused)), numbers = both
    assert [sum(pair) for pair in zip(*numbers.values(), strict=True)] == [48, 6]
    assert max(max(mine) for mine in numbers.values()) <= 24
    for (trial, data, _), records in zip(jobs, found, strict=False):
        alone = by_one(trial, data)
        first = agrees(records, alone)
        assert first.cost["parameters"] == alone.cost["parameters"]
        assert first.cost.get("trained_parameters") == alone.cost.get("trained_parameters")
    begun, resumed = found[4][1], found[5][1]
    assert resumed.cost["resumed_after_epoch"] == 4
    assert resumed.deterministic_part() == begun.deterministic_part()
    assert "batch normalization would see only a part of each batch" in refused[0].reason
