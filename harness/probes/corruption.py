"""How well a network does on corrupted test images: noise, blur, less contrast, shifts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, field_validator

from harness.lazy import functional, numpy, torch
from harness.metrics import Metric
from harness.probes._networks import BATCH, at_rest, test_split
from harness.probes._pictures import MOST_PANELS, base, facets, left_out, lines
from harness.probes.base import Fitted, Measured, Probe, Shown, no_images, other_targets
from harness.seeding import stream

if TYPE_CHECKING:
    from torch import Tensor

    from harness.evidence import Evidence
    from harness.figures._lines import Floats
    from harness.figures.base import Picture

Corrupted = Literal["blur", "contrast", "noise", "shift"]
SEVERITIES = (1, 2, 3, 4, 5)
SIDE = 32
"""Pixels of an image for which blurs and shifts are given; larger ones have larger ones."""
BLUR = (0.4, 0.6, 0.7, 0.8, 1.0)
"""Standard deviations of a Gaussian in pixels, by severity."""
CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)
"""What is left of the distance of each pixel from the mean of its image and channel."""
NOISE = (0.08, 0.12, 0.18, 0.26, 0.38)
"""Standard deviations of normal noise, in the range of pixels."""
_SHARE = (0.0, 1.0)


def _name(kind: str, severity: int) -> str:
    return f"corruption_{kind}_{severity}"


def _metric(kind: str, severity: int) -> Metric:
    meaning = f"test accuracy under {kind} of severity {severity}"
    return Metric(_name(kind, severity), "maximize", "", meaning, _SHARE)


_SUMMARIES = (
    Metric(
        "corruption_accuracy", "maximize", "", "test accuracy, mean over corruptions", _SHARE
    ),
    Metric(
        "corruption_loss_of_accuracy", "minimize", "",
        "test accuracy minus its mean over corruptions", (-1.0, 1.0),
    ),
)  # fmt: skip


class Corruption(Probe):
    """Accuracy on corrupted test images, after Hendrycks and Dietterich (ICLR 2019).

    One network, trained on clean images, is judged on the test images under each kind of corruption
    at each severity from 1 to 5: `probe.corruption_noise_3`. `probe.corruption_accuracy` is the
    mean over all that are asked for, `probe.corruption_loss_of_accuracy` what it lacks to the
    accuracy of clean ones. Noise and directions are drawn by the seed: the same for all arms and,
    scaled, for all severities. A shift moves whole pixels, one for each severity (more in images
    larger than 32), up, down, left or right; darkness comes in.
    """

    name: Literal["corruption"]
    kinds: list[Corrupted] = Field(
        default_factory=lambda: list(get_args(Corrupted)), min_length=1, description="of corruption"
    )
    severities: list[Annotated[int, Field(ge=1, le=5)]] = Field(
        default_factory=lambda: [1, 3, 5], min_length=1, description="1 is weak and 5 strong"
    )

    metrics: ClassVar[tuple[Metric, ...]] = (
        *(_metric(kind, severity) for kind in get_args(Corrupted) for severity in SEVERITIES),
        *_SUMMARIES,
    )
    parts: ClassVar[tuple[str, ...]] = ("accuracy", "severity", "kind")
    texts: ClassVar[tuple[str, ...]] = ("kind",)

    @field_validator("kinds", "severities")
    @classmethod
    def _in_order(cls, values: list[Any]) -> list[Any]:
        """One order, each once, so that two spellings are one trial."""
        return sorted(set(values))

    @property
    def measures(self) -> Mapping[str, Metric]:
        """See `Probe`."""
        found = [_metric(kind, severity) for kind in self.kinds for severity in self.severities]
        return {metric.name: metric for metric in (*found, *_SUMMARIES)}

    def refusal(self, workload: Any) -> str | None:
        """See `Probe`."""
        if (workload.uses or {}).get("features"):
            return "needs images; this network reads what a stage makes of them"
        return no_images(workload) or other_targets(workload, "class")

    def measure(self, fitted: Fitted) -> Measured:
        """Give the accuracies, and their means.

        Raises:
            ValueError: if the inputs are no images.
        """
        targets = test_split(self, fitted).targets
        images = pixels(fitted.test_inputs(numpy.arange(len(targets))))
        ends = float(images.min()), float(images.max())
        network = at_rest(fitted.network)

        def accuracy(change: Callable[[Tensor], Tensor]) -> float:
            right = 0
            for part, true in zip(images.split(BATCH), targets.split(BATCH), strict=True):
                with torch.no_grad():
                    said = network(fitted.normalized(change(part))).argmax(dim=-1)
                right += int((said == true).sum())
            return right / len(targets)

        clean = accuracy(lambda part: part)
        found = numpy.empty((len(self.kinds), len(self.severities)))
        for row, kind in enumerate(self.kinds):
            for column, severity in enumerate(self.severities):
                draws = torch.Generator().manual_seed(stream(fitted.seed, f"{self.name} {kind}"))
                found[row, column] = accuracy(
                    lambda part, k=kind, s=severity, d=draws: corrupted(part, k, s, ends, d)  # type: ignore[misc]
                )
        names = [_name(kind, severity) for kind in self.kinds for severity in self.severities]
        mean = float(found.mean())
        return Measured(
            dict(zip(names, found.ravel().tolist(), strict=True))
            | {"corruption_accuracy": mean, "corruption_loss_of_accuracy": clean - mean},
            {
                "accuracy": numpy.column_stack([numpy.full(len(found), clean), found]),
                "severity": numpy.array([0, *self.severities]),
                "kind": self.kinds,
            },
        )

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw the accuracy over the severity, a panel for each arm and a line for each kind."""
        found: dict[tuple[str, str], list[tuple[Floats, Floats]]] = {}
        for one in shown:
            heights, severity = one.parts["accuracy"], one.parts["severity"]
            for kind, row in zip(one.parts["kind"], heights, strict=False):
                if heights.ndim == 2 and row.shape == severity.shape:
                    known = found.setdefault((one.arm, str(kind)), [])
                    known.append((severity.astype(float), row.astype(float)))
        kinds, share = list(get_args(Corrupted)), Metric("accuracy", bounds=(0.0, 1.0))
        panels = []
        for arm in evidence.plan.all_arms:
            drawn = []
            for style, kind in enumerate(kinds):
                rows = found.get((arm.name, kind), [])
                if rows and all(numpy.array_equal(x, rows[0][0]) for x, _ in rows):
                    table = numpy.array([row for _, row in rows])
                    drawn.append(lines.line_of_means(kind, style, rows[0][0], table, share))
            panels += [lines.Facet(arm.name, drawn)] if drawn else []
        if not panels:
            return None
        frame = lines.Frame("Severity", "Test accuracy", whole_x=True)
        pictures = lines.draw_facets(panels[:MOST_PANELS], frame)
        return base.Picture(
            self.name,
            "Corrupted test images",
            "Test accuracy by kind and severity of corruption; severity 0 is the clean test split."
            " Mean over the confirmation seeds with its pointwise 95 % t interval."
            f" {facets.GREY}{left_out(len(panels))}",
            "Test accuracy over the severity of corruption, one panel for each arm.",
            pictures,
            data=facets.numbers_of(panels[:MOST_PANELS], frame),
            columns=facets.columns(len(pictures)),
        )


def pixels(inputs: Any) -> Tensor:
    """Return images (n, channels, height, width) as numbers; bytes become 0 to 1.

    Raises:
        ValueError: if they have another shape.
    """
    if inputs.ndim != 4:
        raise ValueError(f"corruption needs images, not inputs of shape {inputs.shape[1:]}")
    images = torch.from_numpy(numpy.array(inputs))
    return images.float() / 255 if images.dtype == torch.uint8 else images


def corrupted(
    images: Tensor, kind: Corrupted, severity: int, ends: tuple[float, float], draws: Any
) -> Tensor:
    """Return corrupted images.

    Args:
        images: (n, channels, height, width).
        kind: of corruption.
        severity: from 1 to 5.
        ends: the smallest and the largest value of a pixel.
        draws: PyTorch's generator of noise and of directions.
    """
    low, high = ends
    side = max(images.shape[2:])
    if kind == "noise":
        noise = torch.randn(images.shape, generator=draws)
        return (images + NOISE[severity - 1] * (high - low) * noise).clamp(low, high)
    if kind == "contrast":
        mean = images.mean(dim=(2, 3), keepdim=True)
        return mean + CONTRAST[severity - 1] * (images - mean)
    if kind == "blur":
        return _blurred(images, BLUR[severity - 1] * max(1.0, side / SIDE))
    return _shifted(images, max(severity, round(severity * side / SIDE)), low, draws)


def _blurred(images: Tensor, deviation: float) -> Tensor:
    """Blur by a Gaussian, cut off at four deviations; the border is repeated beyond the image."""
    reach = math.ceil(4 * deviation)
    places = torch.arange(-reach, reach + 1)
    kernel = torch.exp(-0.5 * (places / deviation) ** 2)
    kernel = kernel / kernel.sum()
    padded = functional.pad(images, (reach,) * 4, mode="replicate")
    across = padded.unfold(3, 2 * reach + 1, 1) @ kernel
    return across.unfold(2, 2 * reach + 1, 1) @ kernel


def _shifted(images: Tensor, by: int, fill: float, draws: Any) -> Tensor:
    """Move each image by whole pixels in one of four directions."""
    height, width = images.shape[2:]
    padded = functional.pad(images, (by,) * 4, value=fill)
    ways = torch.randint(4, (len(images),), generator=draws)
    found = torch.empty_like(images)
    for way, (top, left) in enumerate(((0, by), (2 * by, by), (by, 0), (by, 2 * by))):
        mine = ways == way
        found[mine] = padded[mine, :, top : top + height, left : left + width]
    return found
