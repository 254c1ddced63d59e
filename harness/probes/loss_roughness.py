"""How rough a training is: whether its loss goes down, or up and down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from harness.lazy import numpy
from harness.metrics import Metric
from harness.probes.base import POSITIVE, Curve, CurveProbe


class LossRoughness(CurveProbe):
    """Whether a loss falls from epoch to epoch, or goes up and down.

    Gives `probe.loss_roughness`: of all changes from one epoch to the next, the share that goes up
    (or down, of a metric that should be high), by size. 0: every epoch is better than the one
    before; 1/2: the loss ends where it began; 1: every epoch is worse. `probe.largest_rise`: the
    largest change for the worse between two epochs, in the unit of the metric. Both are absent
    where there is only one epoch; the share is also absent where nothing changes. And
    `probe.worst_epoch`: the metric of the worst epoch, which tells an explosion in the first one.
    """

    name: Literal["loss_roughness"]
    metric: str | None = Field(
        "train.loss",
        pattern=r"^(validation|train)\.[a-z0-9_]+$",
        description="of an epoch; null: the validation metric that selects the epoch",
    )

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("loss_roughness", "minimize", "", "share of all changes that go up", (0, 1)),
        Metric("largest_rise", "minimize", "", "largest rise between two epochs", POSITIVE),
        Metric("worst_epoch", None, "", "metric of the worst epoch"),
    )

    def follow(self, curve: Curve, metric: Metric) -> Mapping[str, float]:
        """See `CurveProbe`."""
        values = numpy.array([point[metric.name] for point in curve if metric.name in point])
        if not values.size:
            return {}
        worst = {"worst_epoch": float(-metric.sign * (-metric.sign * values).max())}
        worse = -metric.sign * numpy.diff(values)
        if not worse.size:
            return worst
        rises, all_ = float(worse.clip(min=0).sum()), float(numpy.abs(worse).sum())
        share = {"loss_roughness": rises / all_} if all_ > 0 else {}
        return {**worst, **share, "largest_rise": max(0.0, float(worse.max()))}
