"""A packed trial gives what the same trial gives alone.

Tolerance. On a CPU with one thread the operations of a member are the same whatever the size of its
pack, and everything that a record says of the outcome is equal to the last bit. Where threads or a
GPU split sums differently, float32 rounding differs, and training lets differences grow; there,
after these few epochs, losses agree within 1e-2 relative and accuracies within two examples.
"""

import pytest
import torch

from harness.trial import Phase, State

# Adam can turn rounding into more: where a gradient is zero but for rounding, as that of a bias
# before a batch normalization, it takes full steps in the direction of the noise.

MODELS = [
    {"depth": 0},
    {"depth": 1, "width": 7},
    {"depth": 6, "width": 16},
    *(
        {"activation": name}
        for name in (
            "leaky_relu",
            "elu",
            "gelu",
            "gelu_tanh",
            "silu",
            "tanh",
            "sigmoid",
            "softmax",
            "identity",
        )
    ),
    {"initialization": "torch"},
    {"name": "custom_networks:declared", "settings": {"normalize": False}},
]
OPTIMIZERS = [
    {"name": "adam", "weight_decay": 0.01},
    {"name": "adamw", "weight_decay": 0.01},
    {"name": "sgd"},
    {"name": "sgd", "momentum": 0.9, "weight_decay": 1e-3},
    {"name": "sgd", "momentum": 0.9, "nesterov": True},
]


def label(settings):
    return "-".join(str(value) for value in settings.values())


def various(make_trial, model, optimizer):
    """Trials of one shape that differ in seed, rate, decay, and one of the other numbers."""
    other = {"momentum": 0.5} if optimizer["name"] == "sgd" else {"beta1": 0.8, "beta2": 0.99}
    if optimizer.get("momentum", 0.5) == 0:
        other = {}
    changes = [{}, {}, {"lr": 0.02}, {"lr": 0.005, "weight_decay": 0.1}, other]
    return [
        make_trial(seed, model=model, optimizer={**optimizer, **change})
        for seed, change in enumerate(changes)
    ]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=label)
@pytest.mark.parametrize("model", MODELS, ids=label)
def test_a_pack_is_bit_for_bit_its_trials_alone(make_trial, records_of, blobs, model, optimizer):
    trials = various(make_trial, model, optimizer)
    packed = records_of(trials, blobs)
    alone = records_of(trials, blobs, largest_pack=1)
    assert not [record.reason for record in packed if record.reason]
    assert [record.cost["pack_size"] for record in packed] == [5.0] * 5
    assert [record.cost["pack_size"] for record in alone] == [1.0] * 5
    for ours, theirs in zip(packed, alone, strict=True):
        assert ours.state is State.COMPLETE, ours.reason
        assert ours.deterministic_part() == theirs.deterministic_part()


def test_the_place_in_a_pack_changes_no_product():
    """With an odd number of rows, members of a stack are aligned in different ways."""
    drawn = torch.Generator().manual_seed(0)
    for rows in (33, 35):
        inputs = torch.randn(5, rows, 8, generator=drawn)
        weights, bias = torch.randn(5, 8, 10, generator=drawn), torch.randn(5, 1, 10)
        together = torch.baddbmm(bias, inputs, weights)
        for place in range(5):
            own = [tensor[place : place + 1].clone() for tensor in (bias, inputs, weights)]
            assert torch.equal(torch.baddbmm(*own)[0], together[place])


def assert_within_tolerance(packed, alone, test_examples):
    for ours, theirs in zip(packed, alone, strict=True):
        assert ours.state is State.COMPLETE, ours.reason
        assert ours.metrics["train.loss"] == pytest.approx(theirs.metrics["train.loss"], rel=1e-2)
        difference = abs(ours.metrics["test.accuracy"] - theirs.metrics["test.accuracy"])
        assert difference * test_examples < 2.5


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=label)
def test_batch_normalization_agrees_within_the_tolerance(make_trial, records_of, blobs, optimizer):
    # its sums are split by the whole pack's shape
    model = {"name": "custom_networks:declared", "settings": {"normalize": True}}
    trials = various(make_trial, model, optimizer)
    packed = records_of(trials, blobs)
    assert packed[0].cost["pack_size"] == 5
    assert_within_tolerance(packed, records_of(trials, blobs, largest_pack=1), 60)


def test_convolutions_agree_within_the_tolerance(make_trial, records_of, digits):
    # a pack's convolution is one grouped convolution: another kernel, other rounding
    model = {"name": "custom_networks:convolutional", "settings": {}}
    trials = [make_trial(seed, model=model) for seed in range(3)]
    packed = records_of(trials, digits, largest_pack=3)
    assert packed[0].cost["pack_size"] == 3
    assert_within_tolerance(packed, records_of(trials, digits, largest_pack=1), 450)


def test_two_threads_agree_within_the_tolerance(make_trial, records_of, digits):
    trials = [make_trial(seed, model={"width": 64}, batch_size=256) for seed in range(4)]
    try:
        packed = records_of(trials, digits, threads=2)
    finally:
        torch.set_num_threads(1)
    assert_within_tolerance(packed, records_of(trials, digits, largest_pack=1), 450)


@pytest.mark.parametrize("model", [{}, {"name": "custom_networks:plain", "settings": {}}])
def test_a_trial_replays_bit_for_bit(make_trial, records_of, blobs, model):
    trial = make_trial(3, model=model, probes=[{"name": "gradient_norms"}])
    torch.manual_seed(1)
    first = records_of([trial], blobs)[0]
    torch.manual_seed(2)
    torch.rand(3)
    again = records_of([trial], blobs)[0]
    assert first.state is State.COMPLETE, first.reason
    assert first.deterministic_part() == again.deterministic_part()


def test_company_does_not_matter(make_trial, records_of, blobs):
    trials = [make_trial(seed) for seed in range(6)]
    everyone = records_of(trials, blobs)
    some = records_of([trials[4], trials[1]], blobs)
    assert some[0].deterministic_part() == everyone[4].deterministic_part()
    assert some[1].deterministic_part() == everyone[1].deterministic_part()


@pytest.mark.parametrize("hot", [1, 5])
def test_a_member_that_diverges_leaves_the_others_alone(make_trial, records_of, blobs, hot):
    settings = {"name": "sgd", "lr": 0.05}
    wild = {"name": "sgd", "lr": 1e30}
    good = [make_trial(seed, optimizer=settings, epochs=6) for seed in range(3)]
    bad = [make_trial(10 + seed, optimizer=wild, epochs=6) for seed in range(hot)]
    records = records_of([good[0], *bad, *good[1:]], blobs)
    alone = records_of(good, blobs, largest_pack=1)
    assert [r.deterministic_part() for r in (records[0], *records[hot + 1 :])] == [
        record.deterministic_part() for record in alone
    ]
    for record in records[1 : hot + 1]:
        assert record.state is State.DIVERGED
        assert "loss became" in record.reason
        assert not record.metrics
        assert all(abs(value) < float("inf") for point in record.curve for value in point.values())


def test_everyone_may_diverge(make_trial, records_of, blobs):
    wild = {"name": "sgd", "lr": 1e30}
    records = records_of([make_trial(seed, optimizer=wild) for seed in range(3)], blobs)
    assert {record.state for record in records} == {State.DIVERGED}


def test_search_trials_never_report_a_test_metric(make_trial, records_of, blobs):
    from dataclasses import replace

    trials = [make_trial(seed, phase=Phase.SEARCH) for seed in range(3)]
    for record in records_of(trials, replace(blobs, test=None)):
        assert record.state is State.COMPLETE
        assert not [name for name in record.metrics if name.startswith("test")]


def test_probes_are_those_of_trials_alone(make_trial, records_of, blobs):
    probes = [{"name": "gradient_norms"}, {"name": "dead_units"}]
    trials = [make_trial(0, probes=probes), make_trial(1), make_trial(2, probes=probes[1:])]
    packed = records_of(trials, blobs)
    alone = records_of(trials, blobs, largest_pack=1)
    assert [r.deterministic_part() for r in packed] == [r.deterministic_part() for r in alone]
    assert "probe.gradient_ratio_end" in packed[0].metrics
    assert "probe.dead_units" in packed[2].metrics
    assert not [name for name in packed[1].metrics if name.startswith("probe")]
