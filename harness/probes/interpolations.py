"""What lies between two codes: whether decoded midpoints are still something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.formatting import plural
from harness.lazy import functional, numpy, torch
from harness.metrics import Metric
from harness.probes._networks import as_array, at_rest, evenly, test_split
from harness.probes._pictures import base, image_panels, left_out, rows_of_ways, whose, with_ways
from harness.probes.base import Fitted, Measured, Showing, Shown, other_targets
from harness.probes.codes import no_code
from harness.probes.reconstructions import drawn
from harness.seeding import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.evidence import Evidence
    from harness.figures.base import Picture

STEPS = 7
MEASURED = 1000
"""Test examples, at most, among which midpoints are looked for."""
_SHARE = (0.0, 1.0)


class Interpolations(Showing):
    """How sure a classifier is of what is decoded half way between the codes of two examples.

    The classifier is a stage, `uses: {classifier: NAME}`. Pairs of test examples of different
    classes are drawn by the seed, the same for all arms; `probe.midpoint_confidence` is the mean of
    the classifier's largest probability at the midpoints of their codes,
    `probe.endpoint_confidence` the same at the decoded codes themselves. `probe.midpoint_precision`
    is the share of the midpoints that lie near test examples in the classifier's features
    (Kynkäänniemi et al. 2019): a classifier may be sure of what looks like nothing. The picture
    shows the way from one code to the other.
    """

    name: Literal["interpolations"]
    pairs: int = Field(500, ge=2, le=100_000, description="of test examples")
    shown: int = Field(4, ge=1, le=10, description="pairs in the picture")

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "midpoint_confidence", "maximize", "",
            "largest probability of a classifier at decoded midpoints", _SHARE,
        ),
        Metric(
            "endpoint_confidence", "maximize", "",
            "largest probability of a classifier at the decoded codes on both sides", _SHARE,
        ),
        Metric(
            "midpoint_precision", "maximize", "", "share of decoded midpoints near test examples",
            _SHARE,
        ),
    )  # fmt: skip
    parts: ClassVar[tuple[str, ...]] = ("ways",)
    any_task: ClassVar[bool] = True
    of_simple: ClassVar[bool] = True

    def refusal(self, workload: Any) -> str | None:
        """It needs an autoencoder, classes, and a classifier."""
        if reason := no_code(workload) or other_targets(workload, "class"):
            return reason
        if "classifier" not in workload.uses:
            return "needs a classifier: declare it as a stage, and write `uses: {classifier: NAME}`"
        return None

    def measure(self, fitted: Fitted) -> Measured:
        """Give both confidences, and the ways of the seeds that are shown."""
        from harness.probes._samples import precision_and_recall

        network: Any = at_rest(fitted.network)
        test = test_split(self, fitted)
        left, right = unlike_pairs(
            as_array(test.targets), self.pairs, stream(fitted.seed, "interpolations")
        )
        with torch.no_grad():
            codes = network.encode(test.inputs)
        one, other = codes[left], codes[right]
        classifier = fitted.given["classifier"]

        def decoded(points: Any) -> Any:
            with torch.no_grad():
                return network.decode(points).reshape(len(points), *fitted.form.shape)

        def confidence(images: Any) -> float:
            shares = functional.softmax(classifier.predictions(images).double(), dim=1)
            return float(shares.amax(dim=1).mean())

        midpoints = decoded((one + other) / 2)
        real = test.inputs[evenly(len(test), MEASURED).to(test.inputs.device)]
        features = [classifier.embeddings(images) for images in (midpoints, real)]
        metrics = {
            "midpoint_confidence": confidence(midpoints),
            "endpoint_confidence": confidence(decoded(torch.cat([one, other]))),
            "midpoint_precision": precision_and_recall(features[0], features[1])[0],
        }
        if not self.shows(fitted) or len(fitted.form.shape) != 3:
            return Measured(metrics)
        shares = torch.linspace(0, 1, STEPS, device=one.device)[None, :, None]
        first, last = one[: self.shown, None], other[: self.shown, None]
        points = torch.lerp(first, last, shares).flatten(0, 1)
        with torch.no_grad():
            pictures = drawn(fitted, network.decode(points))
        return Measured(metrics, {"ways": pictures.reshape(-1, STEPS, *pictures.shape[1:])})

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw a row for each pair, a panel for each arm."""
        del evidence
        found = with_ways(shown)
        if not found:
            return None
        panels = image_panels(found, rows_of_ways)
        return base.Picture(
            self.name,
            "From one code to another",
            f"{whose(found)}: the outer images are decoded from the codes of two test examples of"
            " different classes, those between from codes at equal distances on the straight line"
            " from one to the other. It shows one network; how sure a classifier is of the images"
            f" in the middle is measured on all seeds.{left_out(len(found))}",
            f"Images decoded between pairs of codes, of {plural(len(panels), 'autoencoder')}.",
            panels,
            columns=min(2, len(panels)),
        )


def unlike_pairs(
    classes: NDArray[Any], count: int, seed: int
) -> tuple[NDArray[numpy.int64], NDArray[numpy.int64]]:
    """Return the indices of pairs of examples of different classes, (pairs,) each.

    Raises:
        ValueError: if there is only one class.
    """
    if len(numpy.unique(classes)) < 2:
        raise ValueError("interpolations need test examples of at least two classes")
    generator = numpy.random.default_rng(seed)
    lefts, rights = numpy.empty(0, numpy.int64), numpy.empty(0, numpy.int64)
    while len(lefts) < count:
        left, right = generator.integers(len(classes), size=(2, 2 * count))
        unlike = classes[left] != classes[right]
        lefts = numpy.concatenate([lefts, left[unlike]])
        rights = numpy.concatenate([rights, right[unlike]])
    return lefts[:count], rights[:count]
