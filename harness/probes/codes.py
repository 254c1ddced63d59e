"""What the code of an autoencoder says of the classes, which it was never told."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.formatting import number, plural
from harness.lazy import numpy, torch
from harness.metrics import Metric
from harness.probes._networks import as_array, at_rest, evenly, test_split
from harness.probes._pictures import MOST_PANELS, base, left_out, style, whose
from harness.probes.base import Fitted, Measured, Showing, Shown, other_targets
from harness.probes.embedding import DRAWN, MEASURED, drawn_map, key_of, neighbour_purity
from harness.seeding import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.evidence import Evidence
    from harness.figures.base import Picture

_SHARE = (0.0, 1.0)


class Codes(Showing):
    """How far the code of an autoencoder tells the classes apart, and what it looks like.

    A linear classifier is fitted to the codes of the training split (Alain and Bengio 2016):
    `probe.code_accuracy` is its accuracy on codes of the test split, `probe.noisy_code_accuracy` on
    codes of test inputs with normal noise, `probe.code_purity` the share of the ten nearest
    neighbours of a code that are of the same class. The picture shows the codes of the test split,
    by their two numbers or their first two principal components.
    """

    name: Literal["codes"]
    noise: float = Field(
        0.5, ge=0, le=100, description="deviation of the noise, where inputs have deviation 1"
    )

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("code_accuracy", "maximize", "", "accuracy of a linear classifier on codes", _SHARE),
        Metric(
            "noisy_code_accuracy", "maximize", "",
            "accuracy of a linear classifier on codes of noisy inputs", _SHARE,
        ),
        Metric(
            "code_purity", "maximize", "", "share of the nearest codes of the same class", _SHARE
        ),
    )  # fmt: skip
    parts: ClassVar[tuple[str, ...]] = ("places", "classes", "purity")
    any_task: ClassVar[bool] = True
    of_simple: ClassVar[bool] = True

    def refusal(self, workload: Any) -> str | None:
        """It needs an autoencoder, and classes."""
        return no_code(workload) or other_targets(workload, "class")

    def measure(self, fitted: Fitted) -> Measured:
        """Give the accuracies and the purity, and the places of the codes that are shown."""
        network: Any = at_rest(fitted.network)
        train, test = fitted.splits.train, test_split(self, fitted)
        draws = torch.Generator().manual_seed(stream(fitted.seed, "noise on inputs"))
        noise = torch.randn(test.inputs.shape, generator=draws).to(test.inputs.device)
        with torch.no_grad():
            known, clean, noisy = (
                as_array(network.encode(inputs).double())
                for inputs in (train.inputs, test.inputs, test.inputs + self.noise * noise)
            )
        classes = as_array(test.targets)
        classifier = linear_classifier(known, as_array(train.targets))
        index = evenly(len(classes), MEASURED).numpy()
        purity = neighbour_purity(clean[index], classes[index])
        metrics = {
            "code_accuracy": float(classifier.score(clean, classes)),
            "noisy_code_accuracy": float(classifier.score(noisy, classes)),
            "code_purity": purity,
        }
        if not self.shows(fitted) or known.shape[1] < 2:
            return Measured(metrics)
        index = evenly(len(classes), DRAWN).numpy()
        artifact = {
            "places": numpy.round(plane_of(clean[index]), 3),
            "classes": classes[index],
            "purity": numpy.array([purity, float(known.shape[1])]),
        }
        return Measured(metrics, artifact)

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw the codes of each arm as a plane."""
        del evidence
        found = [one for one in shown if _fits(one)]
        if not found:
            return None
        with style.theme():
            panels = tuple(
                drawn_map(one, f"{_axes(one)}; purity {number(float(one.parts['purity'][0]))}")
                for one in found[:MOST_PANELS]
            )
        return base.Picture(
            self.name,
            "Codes of an autoencoder",
            f"{whose(found)}: the codes of test examples, by the two numbers of the code, or by"
            " their first two principal components where there are more. A numeral is an example's"
            f" true class{key_of(found[0])}, which the autoencoder was never told. Purity: the"
            " share of the ten nearest codes, by all numbers, that are of the same class."
            f"{left_out(len(found))}",
            f"Codes of {plural(len(panels), 'autoencoder')} as points of a plane. "
            + " ".join(f"{one.arm}: {_axes(one)}." for one in found[:MOST_PANELS]),
            panels,
            columns=min(2, len(panels)),
        )


def no_code(workload: Any) -> str | None:
    """Say that a workload's task has no code; None where it has one."""
    if hasattr(workload.learns, "code"):
        return None
    return f"needs an autoencoder (`task: reconstruction`); the task is {workload.learns.name}"


def linear_classifier(codes: NDArray[Any], classes: NDArray[Any]) -> Any:
    """Return a logistic regression on codes (n, numbers), each number of deviation 1."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 300 iterations are its budget
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
        return model.fit(codes, classes)


def plane_of(codes: NDArray[Any]) -> NDArray[Any]:
    """Return two numbers of each code, (n, 2): its own, or the first principal components."""
    if codes.shape[1] == 2:
        return codes
    centred = codes - codes.mean(axis=0)
    _, _, axes = numpy.linalg.svd(centred, full_matrices=False)
    sign = numpy.sign(axes[numpy.arange(2), numpy.abs(axes[:2]).argmax(axis=1)])
    found: NDArray[Any] = centred @ (axes[:2] * sign[:, None]).T
    return found


def _axes(shown: Shown) -> str:
    numbers = int(shown.parts["purity"][1])
    return "the code itself" if numbers == 2 else f"2 of {numbers} components"


def _fits(shown: Shown) -> bool:
    count = len(shown.parts["classes"])
    same = shown.parts["places"].shape == (count, 2) and shown.parts["classes"].ndim == 1
    return count > 0 and same and shown.parts["purity"].shape == (2,)
