"""A network of which each of two processes holds a share (FSDP) is trained as by one process."""

import pytest
import torch
from two_processes import agrees, by_one, by_two, tokens_of

from harness.models import network_class
from harness.train import Checkpoints
from harness.train.sharding import shard, sharding_refusal
from harness.workloads.settings import read_settings

LORA = {"name": "lora", "rank": 3, "targets": "all"}
LLAMA = {
    "model_type": "llama", "hidden_size": 16, "intermediate_size": 32,
    "num_hidden_layers": 2, "num_attention_heads": 2,
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


@pytest.mark.slow
def test_two_processes_with_a_share_each_end_as_one(blobs, make_trial, tmp_path):
    tokens = tokens_of(65)
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
    (*found, refused), numbers = by_two(tmp_path, jobs, held, sharded=True)
    assert [sum(pair) for pair in zip(*numbers.values(), strict=True)] == [48, 6]
    assert max(max(mine) for mine in numbers.values()) <= 24
    for (trial, data, _), both in zip(jobs, found, strict=False):
        alone = by_one(trial, data)
        first = agrees(both, alone)
        assert first.cost["parameters"] == alone.cost["parameters"]
        assert first.cost.get("trained_parameters") == alone.cost.get("trained_parameters")
    begun, resumed = found[4][1], found[5][1]
    assert resumed.cost["resumed_after_epoch"] == 4
    assert resumed.deterministic_part() == begun.deterministic_part()
    assert "batch normalization would see only a part of each batch" in refused[0].reason
