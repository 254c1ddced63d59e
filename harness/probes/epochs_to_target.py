"""How soon a metric reaches a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from harness.metrics import Metric
from harness.probes.base import Curve, CurveProbe

_PREFIX = "epochs_to_"


class EpochsToTarget(CurveProbe):
    """The first epoch whose metric reaches a target.

    Gives `probe.epochs_to_target`, or `probe.epochs_to_<label>`; absent where no epoch reaches it,
    unless `unreached` says what that counts as.
    """

    name: Literal["epochs_to_target"]
    target: float = Field(
        description="reached from below where the goal is to maximize, else from above"
    )
    unreached: float | None = Field(None, description="the value where no epoch reaches it")
    label: str = Field("target", pattern=r"^[a-z0-9_]{1,40}$", description="of the metric's name")

    metrics: ClassVar[tuple[Metric, ...]] = (Metric(f"{_PREFIX}target", "minimize"),)

    @classmethod
    def metric_called(cls, name: str) -> Metric | None:
        """See `Probe`; whatever its label is."""
        return Metric(name, "minimize") if name.startswith(_PREFIX) else None

    @property
    def measures(self) -> Mapping[str, Metric]:
        """See `Probe`."""
        name = f"{_PREFIX}{self.label}"
        return {name: Metric(name, "minimize")}

    def follow(self, curve: Curve, metric: Metric) -> Mapping[str, float]:
        """See `CurveProbe`."""
        epoch = first_epoch(curve, metric, self.target)
        value = self.unreached if epoch is None else epoch
        return {} if value is None else {f"{_PREFIX}{self.label}": float(value)}


def first_epoch(curve: Curve, metric: Metric, target: float) -> int | None:
    """Return the first epoch, counted from 1, whose metric is no worse than a target, or None.

    Raises:
        ValueError: if epochs have no such metric, or it is not known which way is better.
    """
    for epoch, value in enumerate(metric.best_so_far(curve), 1):
        if not metric.is_worse(value, target):
            return epoch
    return None
