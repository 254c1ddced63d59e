"""How good generated examples are, in the features of a fixed classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.formatting import plural
from harness.lazy import functional, torch
from harness.metrics import Metric
from harness.probes._networks import at_rest, evenly, test_split
from harness.probes._pictures import base, image_panels, images, left_out, whose
from harness.probes.base import POSITIVE, Fitted, Measured, Showing, Shown, other_targets
from harness.seeding import stream

if TYPE_CHECKING:
    from torch import Tensor

    from harness.evidence import Evidence
    from harness.figures.base import Picture

ACROSS = 10
"""Images in a row of the picture."""
FEWEST = 0.1
"""Of a class's share of the data, the share of samples from which it counts as covered."""
_SHARE = (0.0, 1.0)
_OF_IMAGES = "sharpness_gap"


class SampleQuality(Showing):
    """Generated examples beside as many of the test split, as a fixed classifier sees both.

    The classifier is a stage, `uses: {classifier: NAME}`, that never saw the test split; its
    features are what its last layer reads. Distances depend on it and on the number of examples, so
    that only arms with the same classifier are compared: they are not the FID and KID of
    publications, which are taken in the features of a network trained on ImageNet.
    """

    name: Literal["sample_quality"]
    samples: int = Field(
        1000,
        ge=10,
        le=20_000,
        description="to generate, or as many as the test split has",
    )
    shown: int = Field(40, ge=1, le=100, description="samples in the picture")

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "frechet_distance", "minimize", "", "squared, of features taken as normal", POSITIVE
        ),
        Metric("kernel_distance", "minimize", "", "squared discrepancy of features"),
        Metric("precision", "maximize", "", "share of samples near real examples", _SHARE),
        Metric("recall", "maximize", "", "share of real examples near samples", _SHARE),
        Metric(
            "coverage", "maximize", "", "share of real examples with a sample near them", _SHARE
        ),
        Metric("covered_classes", "maximize", "", "share of classes that samples have", _SHARE),
        Metric("sample_confidence", None, "", "largest probability of the classifier", _SHARE),
        Metric(
            "training_distance", None, "",
            "mean distance of a sample to the nearest training example, by that of a test example:"
            " near 0 where training examples are repeated", POSITIVE,
        ),
        Metric(
            _OF_IMAGES, "minimize", "",
            "absolute log ratio of the high-frequency energy of samples and of test images",
            POSITIVE,
        ),
    )  # fmt: skip
    parts: ClassVar[tuple[str, ...]] = ("samples",)
    any_task: ClassVar[bool] = True

    def refusal(self, workload: Any) -> str | None:
        """It needs a task that generates, classes, and a classifier."""
        if not hasattr(workload.learns, "sample"):
            return f"needs a task that generates examples; {workload.learns.name} does not"
        if "classifier" not in workload.uses:
            return "needs a classifier: declare it as a stage, and write `uses: {classifier: NAME}`"
        return other_targets(workload, "class")

    def measure(self, fitted: Fitted) -> Measured:
        """Give all metrics, and the samples of the seeds that are shown."""
        test = test_split(self, fitted)
        index = evenly(len(test), self.samples).to(test.inputs.device)
        real, task = test.inputs[index], fitted.task
        draws = torch.Generator().manual_seed(stream(fitted.seed, "sample_quality"))
        with torch.no_grad():
            drawn: Tensor = task.sample(  # type: ignore[attr-defined]
                at_rest(fitted.network), len(real), draws, fitted.form.shape
            )
        found = qualities(drawn, real, fitted.splits.train.inputs, fitted.given["classifier"])
        if len(fitted.form.shape) != 3:
            return Measured(found)
        from harness.probes._samples import sharpness_gap

        found |= {_OF_IMAGES: sharpness_gap(fitted.denormalized(drawn), fitted.denormalized(real))}
        if not self.shows(fitted):
            return Measured(found)
        from harness.probes.reconstructions import drawn as pixels_of

        return Measured(found, {"samples": pixels_of(fitted, drawn[: self.shown])})

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw the samples of each arm."""
        del evidence
        found = [one for one in shown if images.are_images(one.parts["samples"])]
        if not found:
            return None
        panels = image_panels(
            found,
            lambda one: [
                ("", images.as_bytes(one.parts["samples"][start : start + ACROSS]))
                for start in range(0, len(one.parts["samples"]), ACROSS)
            ],
        )
        return base.Picture(
            self.name,
            "Generated examples",
            f"{whose(found)}: the first examples that it draws, none chosen. It shows one network;"
            f" what is claimed is measured on all seeds.{left_out(len(found))}",
            f"Examples drawn by {plural(len(panels), 'network')}.",
            panels,
            columns=min(2, len(panels)),
        )


def qualities(drawn: Tensor, real: Tensor, known: Tensor, classifier: Any) -> dict[str, float]:
    """Return the metrics of samples that need no images.

    Args:
        drawn: samples, (n, ...), normalized.
        real: as many test examples.
        known: training examples, (m, ...).
        classifier: a stage.
    """
    from harness.probes import _samples

    features = [classifier.embeddings(inputs).double() for inputs in (drawn, real)]
    said = [
        functional.softmax(classifier.predictions(inputs).double(), dim=1)
        for inputs in (drawn, real)
    ]
    precision, recall, coverage = _samples.precision_and_recall(*features)
    shares = [
        functional.one_hot(part.argmax(dim=1), part.shape[1]).double().mean(dim=0) for part in said
    ]
    present = shares[1] > 0
    enough = shares[0][present] >= FEWEST * shares[1][present]
    known = known.flatten(1).double()
    near = [_samples.nearest_distance(rows.flatten(1), known) for rows in (drawn, real)]
    return {
        "frechet_distance": _samples.frechet_distance(*features),
        "kernel_distance": _samples.kernel_distance(*features),
        "precision": precision,
        "recall": recall,
        "coverage": coverage,
        "covered_classes": float(enough.double().mean()),
        "sample_confidence": float(said[0].amax(dim=1).mean()),
        "training_distance": near[0] / max(near[1], 1e-12),
    }
