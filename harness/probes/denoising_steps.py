"""What a diffusion model takes its noise for, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.formatting import plural
from harness.lazy import numpy, torch
from harness.probes._networks import at_rest
from harness.probes._pictures import base, image_panels, left_out, rows_of_ways, whose, with_ways
from harness.probes.base import Fitted, Measured, Showing, Shown, no_images
from harness.probes.reconstructions import drawn
from harness.seeding import stream

if TYPE_CHECKING:
    from harness.evidence import Evidence
    from harness.figures.base import Picture

MOST = 8
"""Steps that are shown, evenly chosen from all."""


class DenoisingSteps(Showing):
    """Examples that a diffusion model draws, as it sees them at its first, later and last step."""

    name: Literal["denoising_steps"]
    examples: int = Field(4, ge=1, le=10, description="to show")

    parts: ClassVar[tuple[str, ...]] = ("ways",)
    any_task: ClassVar[bool] = True

    def refusal(self, workload: Any) -> str | None:
        """It needs a task that draws in steps, and images."""
        if not hasattr(workload.learns, "trajectory"):
            return f"needs the task diffusion; the task is {workload.learns.name}"
        return no_images(workload)

    def measure(self, fitted: Fitted) -> Measured:
        """Give the images of the seeds that are shown."""
        if not self.shows(fitted):
            return Measured()
        task: Any = fitted.task
        draws = torch.Generator().manual_seed(stream(fitted.seed, "sample_quality"))
        with torch.no_grad():
            noise = torch.randn(self.examples, *fitted.form.shape, generator=draws)
            steps = list(task.trajectory(at_rest(fitted.network), noise))
        places = numpy.linspace(0, len(steps) - 1, min(MOST, len(steps))).round().astype(int)
        ways = numpy.stack([drawn(fitted, steps[place]) for place in places], axis=1)
        return Measured(artifact={"ways": ways})

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw a row for each example, a panel for each arm."""
        del evidence
        found = with_ways(shown)
        if not found:
            return None
        panels = image_panels(found, rows_of_ways)
        return base.Picture(
            self.name,
            "From noise to an example",
            f"{whose(found)}: the example that the network believes behind the noise, from the"
            f" first step (left) to the last. It shows one network.{left_out(len(found))}",
            f"Examples drawn step by step by {plural(len(panels), 'diffusion model')}.",
            panels,
            columns=min(2, len(panels)),
        )
