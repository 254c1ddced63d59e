import pytest

from harness.train import group, pack_key
from harness.trial import Phase

SAME = [
    {"seed": 5},
    {"optimizer": {"lr": 0.5}},
    {"optimizer": {"weight_decay": 0.1, "beta1": 0.5, "beta2": 0.6}},
    {"model": {"initialization": "he"}},
    {"model": {"initialization_scale": 2.0}},
    {"probes": [{"name": "dead_units"}]},
    {"schedule": {"name": "cosine", "final": 0.0}},
    {"early_stopping": {"patience": 3}},
    {"stop_rules": [{"epoch": 1, "metric": "validation.loss", "worse_than": 1.0}]},
]
OTHER = [
    {"model": {"activation": "tanh"}},
    {"model": {"depth": 3}},
    {"model": {"width": 3}},
    {"optimizer": {"name": "sgd"}},
    {"batch_size": 8},
    {"epochs": 4},
    {"phase": Phase.SEARCH},
    {"data": {"name": "tiny", "validation_fraction": 0.3}},
    {"something_new": 1},
    {"clip": 1.0},
    {"model": {"dropout": 0.1}},
]


@pytest.mark.parametrize("settings", SAME, ids=str)
def test_what_can_be_a_tensor_may_differ(make_trial, settings):
    assert pack_key(make_trial(**settings)) == pack_key(make_trial())


@pytest.mark.parametrize("settings", OTHER, ids=str)
def test_all_else_must_be_equal(make_trial, settings):
    assert pack_key(make_trial(**settings)) != pack_key(make_trial())


def test_rates_and_bounds_may_differ_where_there_are_any(make_trial):
    for one, other in (
        ({"clip": 1.0}, {"clip": 0.1}),
        ({"model": {"dropout": 0.1}}, {"model": {"dropout": 0.6}}),
        ({"model": {"dropout": [0.1, 0.0]}}, {"model": {"dropout": [0.6, 0.0]}}),
    ):
        assert pack_key(make_trial(**one)) == pack_key(make_trial(**other))
    outside = {"name": "transformers", "source": "there"}
    keys = [pack_key(make_trial(model={**outside, "dropout": rate})) for rate in (0.1, 0.6)]
    assert keys[0] != keys[1]


def test_nesterov_is_not_a_number(make_trial):
    plain, nesterov = (
        make_trial(optimizer={"name": "sgd", "momentum": 0.9, "nesterov": n}) for n in (False, True)
    )
    assert pack_key(plain) != pack_key(nesterov)


def test_the_simple_baseline_shares_its_key_with_none(make_trial):
    model = {"name": "logistic_regression", "regularization": 1.0}
    assert pack_key(make_trial(0, model=model)) != pack_key(make_trial(1, model=model))


@pytest.mark.parametrize(
    ("counts", "workers", "largest", "sizes"),
    [
        ([64], 1, 64, [64]),
        ([15], 1, 64, [15]),
        ([64], 2, 64, [16, 16, 16, 16]),
        ([9], 2, 64, [5, 4]),
        ([65], 1, 40, [33, 32]),
        ([8] * 8, 2, 64, [8] * 8),
        ([64, 64, 64], 2, 64, [32, 32, 64, 64]),
        ([1, 3], 4, 64, [1, 1, 1, 1]),
        ([2, 1], 8, 64, [1, 1, 1]),
        ([200], 2, 64, [50, 50, 50, 50]),
        ([], 2, 64, []),
    ],
)
def test_groups_keep_every_worker_busy(make_trial, counts, workers, largest, sizes):
    trials = [
        make_trial(seed, model={"width": 4 + shape})
        for shape, count in enumerate(counts)
        for seed in range(count)
    ]
    groups = group(trials, workers, largest)
    assert [len(part) for part in groups] == sizes
    assert [trial for part in groups for trial in part] == trials
    assert all(len({pack_key(trial) for trial in part}) == 1 for part in groups)
