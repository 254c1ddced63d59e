"""Batches computed in parts, and the precision that a study asks for."""

import pytest

from harness.trial import State

NET = {"name": "mlp", "depth": 1, "width": 16, "activation": "tanh", "initialization": "auto"}


@pytest.fixture(scope="module")
def whole(make_trial, records_of, blobs):
    (record,) = records_of([make_trial(model=NET)], blobs)
    return record


@pytest.mark.parametrize("parts", [3, 32, 100])
def test_a_step_in_parts_is_the_same_step(make_trial, records_of, blobs, whole, parts):
    (record,) = records_of([make_trial(model=NET, accumulate=parts)], blobs)
    assert record.state is State.COMPLETE, record.reason
    assert record.metrics == pytest.approx(whole.metrics, rel=1e-4, abs=1e-5)
    for point, other in zip(record.curve, whole.curve, strict=True):
        assert point == pytest.approx(other, rel=1e-4, abs=1e-5)


def test_parts_are_weighed_by_their_targets(make_trial, records_of, blobs):
    # 120 examples: a last batch of 24 in 5 parts of 5, 5, 5, 5 and 4
    whole, parted = (
        records_of([make_trial(model=NET, **more)], blobs)[0] for more in ({}, {"accumulate": 5})
    )
    assert parted.metrics["train.loss"] == pytest.approx(whole.metrics["train.loss"], rel=1e-4)


def test_batch_norm_would_see_parts(make_trial, records_of, blobs):
    (record,) = records_of([make_trial(model={**NET, "norm": "batch"}, accumulate=2)], blobs)
    assert record.state is State.FAILED
    assert "batch normalization would see only a part" in record.reason


def test_a_study_says_in_what_precision_networks_compute(make_trial, records_of, blobs, whole):
    records = records_of(
        [make_trial(model=NET, precision=said) for said in ("bfloat16", "float32")], blobs
    )
    low, high = records
    assert [one.environment["precision"] for one in records] == ["bfloat16", "float32"]
    assert high.metrics == whole.metrics
    assert low.metrics != whole.metrics
    assert low.metrics["test.loss"] == pytest.approx(whole.metrics["test.loss"], abs=0.05)
