"""How many modes of its data a generator covers."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from harness.lazy import torch
from harness.metrics import Metric
from harness.probes.base import Fitted, Measured, Probe
from harness.seeding import stream

FEWEST = 0.1
"""Of a class's share of the data, the share of examples near it from which it counts as covered."""
_SHARE = (0.0, 1.0)


class ModeCoverage(Probe):
    """The share of the classes near which generated examples lie, and of examples near any class.

    An example is near a class if it lies within `deviations` standard deviations of the mean of the
    class's training examples, and no other class's mean is nearer (Srivastava et al. 2017, VEEGAN).
    A class is covered if a tenth of its share of the examples is near it: one alone may be a stray
    of a generator that scatters its examples everywhere. Gives `probe.covered_modes`,
    `probe.near_a_mode` and, 1 or 0 for each seed, `probe.missed_a_mode`.
    """

    name: Literal["mode_coverage"]
    samples: int = Field(1000, ge=1, le=1_000_000, description="examples to generate")
    deviations: float = Field(3.0, gt=0)

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "covered_modes", "maximize", "", "share of classes with enough examples near", _SHARE
        ),
        Metric("near_a_mode", "maximize", "", "share of examples near any class", _SHARE),
        Metric(
            "missed_a_mode", "minimize", "share of seeds", "trainings that leave a class out",
            _SHARE, binary=True,
        ),
    )  # fmt: skip
    any_task: ClassVar[bool] = True

    def refusal(self, workload: Any) -> str | None:
        """It needs a task that generates, and data with classes."""
        if not hasattr(workload.learns, "sample"):
            return f"needs a task that generates examples; {workload.learns.name} does not"
        if workload.data.kind != "class":
            return f"needs classes; the targets of {workload.data.name} are {workload.data.kind}"
        return None

    def measure(self, fitted: Fitted) -> Measured:
        """See `Probe`."""
        train, task = fitted.splits.train, fitted.task
        draws = torch.Generator().manual_seed(stream(fitted.seed, "mode_coverage"))
        with torch.no_grad():
            drawn = task.sample(fitted.network.eval(), self.samples, draws, fitted.form.shape)  # type: ignore[attr-defined]
        drawn, inputs = drawn.flatten(1).double(), train.inputs.flatten(1).double()
        classes = torch.unique(train.targets)
        members = [inputs[train.targets == label] for label in classes]
        centres = torch.stack([own.mean(dim=0) for own in members])
        # of one coordinate, so that a class is as wide in every direction
        spreads = torch.stack([(own - own.mean(dim=0)).square().mean().sqrt() for own in members])
        distances, nearest = torch.cdist(drawn, centres).min(dim=1)
        near = distances <= self.deviations * spreads[nearest]
        found = torch.bincount(nearest[near], minlength=len(classes))
        wanted = torch.tensor([len(own) for own in members]) * self.samples / len(inputs)
        covered = int((found.cpu() >= (FEWEST * wanted).clamp(min=1)).sum())
        return Measured(
            {
                "covered_modes": covered / len(classes),
                "near_a_mode": float(near.double().mean()),
                "missed_a_mode": float(covered < len(classes)),
            }
        )
