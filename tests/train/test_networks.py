"""The networks of the catalogue in the engine: they learn, and a trial's outcome is its own."""

import dataclasses
import json

import pytest
import torch
from pydantic import TypeAdapter
from transformers import BertConfig

from harness.models import Model
from harness.train.engine import computing
from harness.trial import State

SMALL = {"name": "transformer", "width": 16, "dropout": 0.1}
CASES = {
    "images": [
        {"name": "resnet", "channels": [4, 8], "blocks": [1, 1]},
        {"name": "resnet", "channels": [4], "blocks": [1], "shortcuts": False, "norm": "none"},
        {**SMALL, "patch": 2},
        {"name": "torchvision", "architecture": "mobilenet_v3_small"},
    ],
    "sequences": [
        {**SMALL, "positions": "learned"},
        {**SMALL, "attention": "plain", "norm": "post"},
        {"name": "recurrent", "width": 8, "dropout": 0.1, "forget_bias": 1.0},
        {"name": "transformers", "pretrained": False},
    ],
    "numbers": [SMALL, {"name": "recurrent", "cell": "gru", "width": 32}],
}


@pytest.mark.parametrize(
    ("data", "model"),
    [(data, model) for data, models in CASES.items() for model in models],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else value,
)
def test_networks_learn_and_replay(data, model, request, make_trial, records_of, tmp_path):
    if model["name"] == "transformers":
        BertConfig(
            vocab_size=9, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=16, max_position_embeddings=7,
        ).save_pretrained(tmp_path)  # fmt: skip
        model = {**model, "source": str(tmp_path)}
    config = TypeAdapter(Model).validate_json(json.dumps(model)).model_dump()

    def make(seed):
        trial = make_trial(seed, loss="auto", epochs=4, optimizer={"lr": 5e-3})
        return dataclasses.replace(trial, workload={**trial.workload, "model": config})

    examples = request.getfixturevalue(data)
    torch.manual_seed(0)
    first, other = records_of([make(0), make(1)], examples)
    torch.manual_seed(1)
    again = records_of([make(0)], examples)[0]
    assert first.state is other.state is State.COMPLETE, first.reason
    assert first.deterministic_part() == again.deterministic_part()
    assert first.metrics["test.loss"] != other.metrics["test.loss"]
    assert first.curve[-1]["train.loss"] < first.curve[0]["train.loss"]


def test_numbers_too_small_to_be_computed_with_in_time_are_zero_while_the_engine_works():
    tiny = torch.full((8,), 1e-30)
    with computing(1):
        assert not (tiny * 1e-10).any()
    assert (tiny * 1e-10).all()
