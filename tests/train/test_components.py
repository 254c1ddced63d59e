"""Built-in networks, optimizers and schedules in the engine: packed as alone, to the last bit."""

import json

import numpy as np
import pytest
import torch

from harness.data_spec import Form
from harness.optimizers.base import Scheduled, begin
from harness.registry import SCHEDULES
from harness.schedules.base import Horizon
from harness.study.workload import Workload
from harness.train import pack_autotuning, train
from harness.trial import Phase, Record, State, Trial
from harness.workloads import Examples, TrialData

TEXT = {"name": "rt_polarity", "length": 7, "vocabulary": 12, "validation_fraction": 0.2}
PACKED = [
    {"model": {"name": "mlp", "width": 9, "norm": "batch"}},
    {"model": {"name": "mlp", "width": 9, "norm": "layer", "dropout": 0.3}},
    {"model": {"name": "mlp", "widths": [12, 5], "norm": "batch", "dropout": [0.2, 0.5]}},
    {"optimizer": {"name": "rmsprop", "momentum": 0.9}},
    {"optimizer": {"name": "adagrad", "lr_decay": 0.1}},
    {"optimizer": "nadam"},
    {"optimizer": {"name": "radam", "weight_decay": 0.01}},
    {"schedule": {"name": "step", "every": 1}},
    {"schedule": "cosine", "optimizer": "sgd"},
    {"schedule": "warmup_cosine"},
    {"schedule": "one_cycle"},
]
ALONE = [
    {"model": {"name": "cnn", "channels": [4], "dense": 8, "dropout_conv": 0.1}},
    {"model": {"name": "recurrent", "width": 6, "dropout": 0.1}, "data": TEXT},
]


def make(seed, lr, settings):
    base = {"data": "digits", "model": {"name": "mlp", "width": 9}, "epochs": 2, "batch_size": 32}
    workload = Workload.model_validate_json(json.dumps({**base, **settings})).model_dump()
    workload["optimizer"]["lr"] = lr
    return Trial(workload, seed, Phase.CONFIRMATION, "fingerprint", "version", ())


def run(trials, data, **options):
    records = {e.trial_id: e for e in train(trials, data, **options) if isinstance(e, Record)}
    return [records[trial.id] for trial in trials]


@pytest.fixture(scope="module")
def three_classes():
    generator = np.random.default_rng(0)
    targets = np.arange(200) % 3
    inputs = generator.normal(size=(200, 1, 4, 4)) + targets[:, None, None, None]
    inputs = inputs.astype(np.float32)
    return TrialData(
        "digits",
        Form((1, 4, 4), 3),
        Examples(inputs[:150], targets[:150]),
        Examples(inputs[150:], targets[150:]),
    )


@pytest.fixture(scope="module")
def sentences():
    generator = np.random.default_rng(0)
    targets = np.arange(120) % 2
    inputs = generator.integers(2, 7, (120, 7)) + 5 * targets[:, None]
    inputs[::3, 4:] = 0
    return TrialData(
        "text",
        Form((7,), 2, "class", 12),
        Examples(inputs[:90], targets[:90]),
        Examples(inputs[90:], targets[90:]),
    )


@pytest.fixture(autouse=True)
def packs_without_a_clock(monkeypatch):
    """Form packs by rule: a busy machine would find long steps and train them alone."""
    monkeypatch.setattr(pack_autotuning, "UNMEASURED_BELOW", float("inf"))


@pytest.mark.parametrize("settings", PACKED, ids=str)
def test_a_pack_is_its_trials_alone(settings, three_classes):
    trials = [make(seed, lr, settings) for seed, lr in enumerate([1e-3, 1e-3, 4e-3, 2e-3])]
    packed, alone = run(trials, three_classes), run(trials, three_classes, largest_pack=1)
    assert {record.state for record in packed} == {State.COMPLETE}, packed[0].reason
    assert packed[0].cost["pack_size"] == 4
    for ours, theirs in zip(packed, alone, strict=True):
        assert ours.deterministic_part() == theirs.deterministic_part()


@pytest.mark.parametrize("settings", ALONE, ids=str)
def test_what_is_trained_alone_says_so_and_replays(settings, three_classes, sentences):
    data = sentences if "data" in settings else three_classes
    trials = [make(seed, 1e-2, settings) for seed in range(2)]
    first, again = run(trials, data), run(trials[::-1], data)[::-1]
    assert {record.state for record in first} == {State.COMPLETE}, first[0].reason
    assert first[0].cost["pack_size"] == 1
    for ours, theirs in zip(first, again, strict=True):
        assert ours.deterministic_part() == theirs.deterministic_part()


def test_the_simple_baseline_reads_sentences_as_bags_of_words(sentences):
    trial = make(0, 1e-3, {"data": TEXT})
    workload = {
        **trial.workload,
        "model": {"name": "logistic_regression", "regularization": 1.0},
    }
    record = run([Trial(workload, 0, Phase.CONFIRMATION, "f", "v", ())], sentences)[0]
    assert record.metrics["test.accuracy"] == 1.0
    assert record.cost["parameters"] == TEXT["vocabulary"] + 1


REFERENCES = {
    "rmsprop": lambda p, c: torch.optim.RMSprop(
        p, c["lr"], alpha=c["smoothing"], momentum=c["momentum"], weight_decay=c["weight_decay"]
    ),
    "adagrad": lambda p, c: torch.optim.Adagrad(
        p, c["lr"], lr_decay=c["lr_decay"], weight_decay=c["weight_decay"]
    ),
    "nadam": lambda p, c: torch.optim.NAdam(
        p, c["lr"], (c["beta1"], c["beta2"]), weight_decay=c["weight_decay"],
        momentum_decay=c["momentum_decay"],
    ),
    "radam": lambda p, c: torch.optim.RAdam(
        p, c["lr"], (c["beta1"], c["beta2"]), weight_decay=c["weight_decay"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize(
    "settings",
    [{"name": "rmsprop"}, {"name": "rmsprop", "momentum": 0.9},
     {"name": "adagrad", "lr_decay": 0.1}, {"name": "nadam"}, {"name": "radam"}],
    ids=str,
)  # fmt: skip
def test_an_optimizer_steps_as_torchs(settings, decay):
    generator = torch.Generator().manual_seed(0)
    workload = make(0, 0.01, {"optimizer": {**settings, "weight_decay": decay}}).workload
    configs = [{**workload["optimizer"], "lr": lr} for lr in (0.01, 0.01, 0.05)]
    start = [torch.randn(3, 5, 4, generator=generator), torch.randn(3, 7, generator=generator)]
    ours = [tensor.clone() for tensor in start]
    theirs = [[t[row].clone().requires_grad_() for t in start] for row in range(3)]
    update = begin([Scheduled.read(config) for config in configs], ours)
    references = [
        REFERENCES[settings["name"]](own, config)
        for own, config in zip(theirs, configs, strict=True)
    ]
    for step in range(15):
        if step == 8:  # the first member leaves
            ours = [tensor[1:].clone() for tensor in ours]
            update.keep([1, 2], ours)
        gradients = [torch.randn(t.shape, generator=generator) for t in start]
        update.step([g[1:] for g in gradients] if step >= 8 else gradients)
        for row, reference in enumerate(references):
            for parameter, gradient in zip(theirs[row], gradients, strict=True):
                parameter.grad = gradient[row].clone()
            reference.step()
    for row in (1, 2):
        for a, b in zip(ours, theirs[row], strict=True):
            torch.testing.assert_close(a[row - 1], b.detach(), rtol=1e-4, atol=1e-5)


def torchs(make_scheduler, horizon, *, by_epoch=False):
    """Return the learning rates of a scheduler of torch.optim, over the first one's 1.0."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make_scheduler(optimizer)
    rates = []
    for step in range(horizon.total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if not by_epoch or (step + 1) % horizon.per_epoch == 0:
            scheduler.step()
    return rates


def ours(schedule, horizon):
    full = make(0, 1e-3, {"schedule": schedule}).workload["schedule"]
    made = SCHEDULES.read(full)
    return [made.multiplier(step, horizon) for step in range(horizon.total)]


def test_schedules_are_torchs():
    from torch.optim import lr_scheduler as torch_schedulers

    horizon = Horizon(60, 5)
    expected = torchs(lambda o: torch_schedulers.StepLR(o, 3, gamma=0.5), horizon, by_epoch=True)
    assert ours({"name": "step", "every": 3, "factor": 0.5}, horizon) == pytest.approx(expected)
    expected = torchs(lambda o: torch_schedulers.CosineAnnealingLR(o, 60, eta_min=0.1), horizon)
    assert ours({"name": "cosine", "final": 0.1}, horizon) == pytest.approx(expected)
    expected = torchs(lambda o: torch_schedulers.OneCycleLR(o, 1.0, total_steps=60), horizon)
    assert ours("one_cycle", horizon) == pytest.approx(expected)


@pytest.mark.parametrize("total", [1, 2, 3, 10, 97])
@pytest.mark.parametrize("name", ["constant", "step", "cosine", "warmup_cosine", "one_cycle"])
def test_every_schedule_bears_every_length(name, total):
    factors = ours(name, Horizon(total, max(1, total // 3)))
    assert all(0 <= factor <= 1 for factor in factors)
    assert max(factors) == pytest.approx(1, abs=0.05) or name == "one_cycle"


def test_a_warm_up_rises_in_a_line_and_then_falls():
    factors = ours({"name": "warmup_cosine", "warmup": 0.2}, Horizon(50, 10))
    assert factors[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert ours({"name": "warmup_cosine", "warmup": 1.0}, Horizon(4, 2))[-1] == 1
