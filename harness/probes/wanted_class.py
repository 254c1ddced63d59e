"""Whether examples of a class that was asked for are of that class, as a fixed classifier says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.formatting import plural
from harness.lazy import torch
from harness.metrics import Metric
from harness.probes._networks import at_rest
from harness.probes._pictures import base, image_panels, images, left_out, whose, with_ways
from harness.probes.base import Fitted, Measured, Showing, Shown
from harness.seeding import stream

if TYPE_CHECKING:
    from torch import Tensor

    from harness.evidence import Evidence
    from harness.figures.base import Picture

ACROSS = 10
"""Examples of a class in the picture."""
MOST = 10
"""Classes in the picture."""
_SHARE = (0.0, 1.0)


class WantedClass(Showing):
    """The share of generated examples that a classifier takes for the class that was asked for.

    The classifier is a stage, `uses: {classifier: NAME}`; it may err itself, and it says nothing of
    how varied the examples are: that is for `sample_quality`. As many examples are drawn of each
    class.
    """

    name: Literal["wanted_class"]
    samples: int = Field(1000, ge=10, le=100_000, description="to generate, of all classes")

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "wanted_class", "maximize", "", "share of samples of the class that was wanted", _SHARE
        ),
        Metric(
            "wanted_class_lowest", "maximize", "", "the same of the class that is missed most",
            _SHARE,
        ),
    )  # fmt: skip
    parts: ClassVar[tuple[str, ...]] = ("ways",)
    any_task: ClassVar[bool] = True

    def refusal(self, workload: Any) -> str | None:
        """It needs a task that draws examples of a class, and a classifier."""
        if not getattr(workload.learns, "conditional", False):
            return (
                "needs a task that generates examples of a class, such as conditional_vae, or "
                f"adversarial with `conditional: true`; the task is {workload.learns.name}"
            )
        if "classifier" not in workload.uses:
            return "needs a classifier: declare it as a stage, and write `uses: {classifier: NAME}`"
        return None

    def measure(self, fitted: Fitted) -> Measured:
        """Give both shares, and some examples of each class."""
        task: Any = fitted.task
        draws = torch.Generator().manual_seed(stream(fitted.seed, self.name))
        with torch.no_grad():
            drawn, wanted = task.sample_with_classes(
                at_rest(fitted.network), self.samples, draws, fitted.form.shape
            )
        said = fitted.given["classifier"].predictions(drawn).argmax(dim=1)
        right: Tensor = (said == wanted).double()
        each = [float(right[wanted == label].mean()) for label in torch.unique(wanted)]
        found = {"wanted_class": float(right.mean()), "wanted_class_lowest": min(each)}
        if not self.shows(fitted) or len(fitted.form.shape) != 3:
            return Measured(found)
        from harness.probes.reconstructions import drawn as pixels_of

        classes = min(MOST, len(each))
        across = min(ACROSS, self.samples // fitted.form.outputs)
        index = [
            label + fitted.form.outputs * place
            for label in range(classes)
            for place in range(across)
        ]
        pictures = pixels_of(fitted, drawn[torch.tensor(index, device=drawn.device)])
        ways = pictures.reshape(classes, across, *pictures.shape[1:])
        return Measured(found, {"ways": ways} if across else {})

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw a row for each class, a panel for each arm."""
        del evidence
        found = with_ways(shown)
        if not found:
            return None
        panels = image_panels(
            found,
            lambda one: [
                (one.class_name(label), images.as_bytes(row))
                for label, row in enumerate(one.parts["ways"])
            ],
        )
        return base.Picture(
            self.name,
            "Examples of the class that was asked for",
            f"{whose(found)}: a row of generated examples for each class, none chosen. It shows one"
            " network; how many are of the class that was asked for is measured on all seeds."
            f"{left_out(len(found))}",
            f"Rows of examples by class, of {plural(len(panels), 'network')}.",
            panels,
            columns=min(2, len(panels)),
        )
