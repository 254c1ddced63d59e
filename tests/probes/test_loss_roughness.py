"""How rough a curve is."""

import pytest

from harness.metrics import Metric
from harness.probes.loss_roughness import LossRoughness

LOSS, ACCURACY = Metric("train.loss", "minimize"), Metric("validation.accuracy", "maximize")


def follow(values, metric=LOSS):
    curve = [{"epoch": epoch, metric.name: value} for epoch, value in enumerate(values, 1)]
    return LossRoughness(name="loss_roughness").follow(curve, metric)


@pytest.mark.parametrize(
    ("values", "share", "rise"),
    [([3, 2, 1], 0, 0), ([1, 2, 1], 0.5, 1), ([1, 2, 4], 1, 2), ([4, 1, 2, 1.5], 1 / 4.5, 1)],
)
def test_the_share_of_changes_for_the_worse(values, share, rise):
    worst = {"worst_epoch": max(values)}
    assert follow(values) == pytest.approx({"loss_roughness": share, "largest_rise": rise, **worst})


def test_a_score_is_rough_where_it_falls():
    found = follow([0.5, 0.9, 0.7], ACCURACY)
    assert found == pytest.approx(
        {"loss_roughness": 0.2 / 0.6, "largest_rise": 0.2, "worst_epoch": 0.5}
    )


def test_what_is_not_known_is_absent():
    assert follow([]) == {}
    assert follow([1.0]) == {"worst_epoch": 1.0}
    assert follow([1.0, 1.0]) == {"worst_epoch": 1.0, "largest_rise": 0.0}
