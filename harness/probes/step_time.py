"""How long a training step takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from harness.lazy import numpy
from harness.metrics import Metric
from harness.probes.base import POSITIVE, Fitted, Measured, Probe

if TYPE_CHECKING:
    from harness.data_spec import Form

WARM_UP_STEPS = 10
_TIME = "time of a training step"


class StepTime(Probe):
    """Seconds of a training step, beside those of the same workload with some settings changed.

    Gives `probe.step_time`, the median; `probe.tokens_per_second` where inputs are sequences; and,
    with `against`, `probe.step_time_ratio`: the median over pairs of this workload's time to the
    other's, steps of both being taken in turn. These are for finding your way: claims on seconds
    rest on `timing`, apart from all trials.
    """

    name: Literal["step_time"]
    against: dict[str, Any] = Field(
        default_factory=dict, description="settings of another workload, to compare with"
    )
    steps: int = Field(200, ge=10, le=10_000, description="timed steps of each workload")

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("step_time", "minimize", "s", _TIME, POSITIVE),
        Metric("step_time_ratio", "minimize", "", f"{_TIME} ÷ the reference's", POSITIVE),
        Metric("tokens_per_second", "maximize", bounds=POSITIVE),
    )
    one_worker: ClassVar[bool] = True

    def for_trial(self, resolved: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Any:
        """See `Probe`; the other workload is kept as a whole, as `reference`."""
        kept = self.model_dump(mode="json", exclude={"on", "against"})
        return kept | ({"reference": resolved(self.against)} if self.against else {})

    @classmethod
    def of_trial(cls, kept: Mapping[str, Any]) -> Self:
        """See `Probe`; `against` is then the whole of the other workload."""
        settings = {key: value for key, value in kept.items() if key != "reference"}
        return cls.model_validate({**settings, "against": kept.get("reference", {})})

    def measure(self, fitted: Fitted) -> Measured:
        """Give seconds of a step, tokens per second, and the ratio to another workload's time."""
        steps = [fitted.timed_step(fitted.workload)]
        steps += [fitted.timed_step(self.against)] if self.against else []
        for _ in range(WARM_UP_STEPS):
            for step in steps:
                step()
        seconds = numpy.array([[step() for step in steps] for _ in range(self.steps)])
        own = float(numpy.median(seconds[:, 0]))
        metrics = {"step_time": own}
        if self.against:
            metrics["step_time_ratio"] = float(numpy.median(seconds[:, 0] / seconds[:, 1]))
        tokens = positions(fitted.form)
        if tokens is not None:
            batch = min(fitted.settings.batch_size, len(fitted.splits.train))
            metrics["tokens_per_second"] = batch * tokens / own
        return Measured(metrics)


def positions(form: Form) -> int | None:
    """Return how many positions an input has, None where it is no sequence."""
    sequence = form.vocabulary is not None or form.kind == "sequence" or len(form.shape) == 2
    return form.shape[0] if sequence else None
