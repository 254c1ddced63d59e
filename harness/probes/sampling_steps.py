"""How good the examples of a diffusion model are, by the number of steps they are drawn in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from harness.formatting import plural
from harness.lazy import numpy, torch
from harness.metrics import Metric
from harness.probes._networks import at_rest, evenly, test_split
from harness.probes._pictures import base, image_panels, images, left_out, whose
from harness.probes.base import POSITIVE, Fitted, Measured, Showing, Shown, other_targets
from harness.probes.reconstructions import drawn as pixels_of
from harness.seeding import stream

if TYPE_CHECKING:
    from harness.evidence import Evidence
    from harness.figures.base import Picture

SHOWN = 10
"""Examples in the picture, for each number of steps."""


class SamplingSteps(Showing):
    """Examples that one diffusion model draws from the same noise in few steps and in many.

    Distances are those of the probe `sample_quality`, in the features of a classifier that is a
    stage, `uses: {classifier: NAME}`, and never saw the test split.
    """

    name: Literal["sampling_steps"]
    steps: list[Annotated[int, Field(ge=1)]] = Field(
        [1, 5, 50], min_length=2, max_length=20, description="to draw in, from few to many"
    )
    samples: int = Field(1000, ge=10, le=20_000, description="or as many as the test split has")

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "steps_ratio", "minimize", "",
            "largest ratio of the Fréchet distances in more steps and in the next fewer: below 1"
            " where more steps always bring examples nearer", POSITIVE,
        ),
        Metric(
            "frechet_in_fewest_steps", "minimize", "", "Fréchet distance in the fewest steps",
            POSITIVE,
        ),
        Metric(
            "frechet_in_most_steps", "minimize", "", "Fréchet distance in the most steps", POSITIVE
        ),
    )  # fmt: skip
    parts: ClassVar[tuple[str, ...]] = ("samples", "steps", "distances")
    any_task: ClassVar[bool] = True

    @field_validator("steps")
    @classmethod
    def _from_few_to_many(cls, steps: list[int]) -> list[int]:
        if any(more <= fewer for fewer, more in pairwise(steps)):
            raise ValueError("say them from few to many, each once")
        return steps

    def refusal(self, workload: Any) -> str | None:
        """It needs a task that draws in steps, classes, and a classifier."""
        task = workload.learns
        if not hasattr(task, "trajectory"):
            return f"needs the task diffusion; the task is {task.name}"
        if self.steps[-1] > task.levels:
            return f"`steps` ({self.steps[-1]}) are more than the task's `levels` ({task.levels})"
        if "classifier" not in workload.uses:
            return "needs a classifier: declare it as a stage, and write `uses: {classifier: NAME}`"
        return other_targets(workload, "class")

    def measure(self, fitted: Fitted) -> Measured:
        """Give the distances, and some examples of the seeds that are shown."""
        from harness.probes._samples import frechet_distance

        test, form, task = test_split(self, fitted), fitted.form, fitted.task
        real = test.inputs[evenly(len(test), self.samples).to(test.inputs.device)]
        draws = torch.Generator().manual_seed(stream(fitted.seed, "sample_quality"))
        noise = torch.randn(len(real), *form.shape, generator=draws)
        classifier, network = fitted.given["classifier"], at_rest(fitted.network)
        theirs = classifier.embeddings(real).double()
        distances, rows = [], []
        for count in self.steps:
            drawing: Any = task.model_copy(update={"sampling_steps": count})
            with torch.no_grad():
                made = drawing.made_of(network, noise, form)
            distances.append(frechet_distance(classifier.embeddings(made).double(), theirs))
            if self.shows(fitted) and len(form.shape) == 3:
                rows.append(pixels_of(fitted, made[:SHOWN]))
        found = {
            "steps_ratio": max(b / max(a, 1e-12) for a, b in pairwise(distances)),
            "frechet_in_fewest_steps": distances[0],
            "frechet_in_most_steps": distances[-1],
        }
        if not rows:
            return Measured(found)
        parts = {"samples": numpy.stack(rows), "steps": numpy.array(self.steps)}
        return Measured(found, {**parts, "distances": numpy.array(distances)})

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw a row of examples for each number of steps, a panel for each arm."""
        del evidence
        found = [one for one in shown if images.are_images(one.parts["samples"][0])]
        if not found:
            return None
        panels = image_panels(
            found,
            lambda one: [
                (f"{plural(int(count), 'step')}: {distance:.3g}", images.as_bytes(row))
                for count, distance, row in zip(
                    one.parts["steps"], one.parts["distances"], one.parts["samples"], strict=True
                )
            ],
        )
        return base.Picture(
            self.name,
            "Examples by the number of steps",
            f"{whose(found)}: examples that it draws from the same noise, none chosen, with their"
            f" Fréchet distance to test examples. It shows one network.{left_out(len(found))}",
            f"Examples of {plural(len(panels), 'diffusion model')} by the number of steps.",
            panels,
            columns=min(2, len(panels)),
        )
