"""How much each layer's features change where an image is shifted by a pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.formatting import plural
from harness.lazy import numpy, torch
from harness.metrics import Metric
from harness.probes._by_layer import by_arm, metrics_by_layer, panels_by_layer
from harness.probes._networks import at_rest, evenly, test_split
from harness.probes._pictures import base, left_out
from harness.probes.base import POSITIVE, Fitted, Measured, Probe, Shown, no_images, other_targets
from harness.probes.corruption import corrupted, pixels
from harness.probes.linear_probe import layer_outputs
from harness.seeding import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.evidence import Evidence
    from harness.figures.base import Picture


class ShiftSensitivity(Probe):
    """How far a shift moves an image in each layer, in shares of the distance between classes.

    The mean distance between the features of a test image and of its copy that is shifted by
    `severity` pixels (as the probe `corruption` does), divided by the mean distance between images
    of two classes: 0 where a layer does not notice the shift, 1 where it changes as much as another
    class would. It is the local invariance of Goodfellow et al. (NeurIPS 2009) as a ratio of
    distances. Features are the more abstract the lower this is while a `linear_probe` still reads
    the class.
    """

    name: Literal["shift_sensitivity"]
    severity: int = Field(1, ge=1, le=5, description="pixels, more in images larger than 32")
    examples: int = Field(400, ge=20, description="of the test split, at most")

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("shift_sensitivity_inputs", "minimize", "", "shift over class, inputs", POSITIVE),
        Metric(
            "shift_sensitivity_first", "minimize", "", "shift over class, first layer", POSITIVE
        ),
        Metric("shift_sensitivity_last", "minimize", "", "shift over class, last layer", POSITIVE),
        Metric("shift_sensitivity_rise", "minimize", "", "shift over class, rise per layer"),
    )
    parts: ClassVar[tuple[str, ...]] = ("shares",)

    def refusal(self, workload: Any) -> str | None:
        """It needs images of classes, and a hidden layer."""
        if not workload.model.has_hidden_layer:
            return f"needs a hidden layer; {workload.model.name} has none here"
        if (workload.uses or {}).get("features"):
            return "needs images; this network reads what a stage makes of them"
        return no_images(workload) or other_targets(workload, "class")

    def measure(self, fitted: Fitted) -> Measured:
        """Compare each layer's features of test images, of shifted ones, and of other classes."""
        targets = test_split(self, fitted).targets
        index = evenly(len(targets), self.examples)
        images = pixels(fitted.test_inputs(index.numpy()))
        draws = torch.Generator().manual_seed(stream(fitted.seed, self.name))
        ends = float(images.min()), float(images.max())
        moved = corrupted(images, "shift", self.severity, ends, draws)
        network = at_rest(fitted.network)
        plain, other = (layer_outputs(network, fitted.normalized(x)) for x in (images, moved))
        if len(plain) < 2:  # the inputs alone: no layers that probes know
            return Measured()
        classes = targets[index.to(targets.device)].cpu().numpy()
        pairs = other_classes(classes, stream(fitted.seed, f"{self.name} pairs"))
        shares = [share(rows, away, pairs) for rows, away in zip(plain, other, strict=True)]
        metrics = metrics_by_layer("shift_sensitivity", shares)
        return Measured(metrics, {"shares": numpy.round(shares, 4)})

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw the shares by layer, a panel for each arm, a line for each seed."""
        del evidence
        arms = by_arm(shown, "shares")
        if not arms:
            return None
        panels = panels_by_layer(
            arms, "Shift over class", lambda found: (0.0, 1.05 * float(found.max()))
        )
        return base.Picture(
            self.name,
            "What each layer notices of a shift",
            "Distance between an image and its shifted copy in each layer, in shares of the mean"
            " distance between images of two classes; a line for each seed."
            f"{left_out(len(arms))}",
            f"Sensitivity to shifts by layer in {plural(len(panels), 'arm')}.",
            panels,
            columns=min(3, len(panels)),
        )


def other_classes(classes: NDArray[Any], seed: int) -> NDArray[Any]:
    """Return pairs of examples of different classes, one for each example if it has one, (m, 2)."""
    others = numpy.random.default_rng(seed).permutation(len(classes))
    differ = classes != classes[others]
    return numpy.column_stack([numpy.flatnonzero(differ), others[differ]])


def share(rows: NDArray[Any], moved: NDArray[Any], pairs: NDArray[Any]) -> float:
    """Return the mean distance of rows to their moved ones over that of pairs of rows.

    0 where no pair differs either: such features tell nothing apart.

    Args:
        rows: features, (n, numbers).
        moved: of the shifted images, likewise.
        pairs: numbers of rows, (m, 2).
    """
    shift = float(numpy.linalg.norm(rows - moved, axis=1).mean())
    between = numpy.linalg.norm(rows[pairs[:, 0]] - rows[pairs[:, 1]], axis=1)
    apart = float(between.mean()) if len(between) else 0.0
    return shift / apart if apart else 0.0
