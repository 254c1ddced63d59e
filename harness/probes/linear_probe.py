"""How well a linear classifier reads the class out of each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.formatting import plural
from harness.lazy import numpy, torch
from harness.metrics import Metric
from harness.probes._by_layer import by_arm, metrics_by_layer, panels_by_layer
from harness.probes._networks import BATCH, as_array, at_rest, evenly, test_split
from harness.probes._pictures import base, left_out
from harness.probes.base import Fitted, Measured, Probe, Shown, other_targets
from harness.seeding import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from harness.evidence import Evidence
    from harness.figures.base import Picture

_SHARE = (0.0, 1.0)


class LinearProbe(Probe):
    """Test accuracy of a logistic regression on each hidden layer (Alain and Bengio 2016).

    Layers differ in width, and more numbers tell more. So each is reduced to as many by a random
    projection, the same kind for all (`dimensions`); the inputs themselves too.
    """

    name: Literal["linear_probe"]
    dimensions: int = Field(64, ge=2, le=4096, description="of the projection of each layer")
    examples: int = Field(1000, ge=20, description="of training, and of test, at most")

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("linear_probe_inputs", "maximize", "", "accuracy read from the inputs", _SHARE),
        Metric("linear_probe_first", "maximize", "", "accuracy read from the first layer", _SHARE),
        Metric("linear_probe_last", "maximize", "", "accuracy read from the last layer", _SHARE),
        Metric("linear_probe_rise", "maximize", "", "accuracy read, rise per layer", (-1.0, 1.0)),
    )
    parts: ClassVar[tuple[str, ...]] = ("accuracies",)

    def refusal(self, workload: Any) -> str | None:
        """It needs a class for each input, and a hidden layer."""
        if not workload.model.has_hidden_layer:
            return f"needs a hidden layer; {workload.model.name} has none here"
        return other_targets(workload, "class")

    def measure(self, fitted: Fitted) -> Measured:
        """Fit the classifiers on training examples and test them on the test split."""
        train, test = fitted.splits.train, test_split(self, fitted)
        splits = [
            (split.inputs[index], split.targets[index])
            for split in (train, test)
            for index in [evenly(len(split.targets), self.examples).to(split.inputs.device)]
        ]
        network = at_rest(fitted.network)
        known, unknown = (layer_outputs(network, inputs) for inputs, _ in splits)
        if len(known) < 2:  # the inputs alone: no layers that probes know
            return Measured()
        classes = [as_array(targets) for _, targets in splits]
        generator = numpy.random.default_rng(stream(fitted.seed, self.name))
        found = []
        for rows, others in zip(known, unknown, strict=True):
            matrix = generator.standard_normal((rows.shape[1], self.dimensions))
            found.append(read_out(rows @ matrix, others @ matrix, classes))
        metrics = metrics_by_layer("linear_probe", found)
        return Measured(metrics, {"accuracies": numpy.round(found, 4)})

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw the accuracy by layer, a panel for each arm, a line for each seed."""
        del evidence
        arms = by_arm(shown, "accuracies")
        if not arms:
            return None
        panels = panels_by_layer(
            arms,
            "Accuracy of a linear probe",
            lambda found: (max(0.0, float(found.min()) - 0.05), 1.02),
        )
        return base.Picture(
            self.name,
            "What each layer tells a linear classifier",
            "Test accuracy of a logistic regression on a random projection of each layer's outputs,"
            f" of equal dimension; a line for each seed.{left_out(len(arms))}",
            f"Accuracy of linear probes by layer in {plural(len(panels), 'arm')}.",
            panels,
            columns=min(3, len(panels)),
        )


def layer_outputs(network: nn.Module, inputs: Tensor) -> list[NDArray[Any]]:
    """Return the inputs and the outputs of each hidden layer, flattened, each (n, numbers)."""
    from harness.layers import hidden_units

    layers = hidden_units(network)
    found: list[list[Tensor]] = [[] for _ in layers]
    handles = [
        layer.register_forward_hook(
            lambda _module, _inputs, output, place=place: found[place].append(output.flatten(1))
        )
        for place, layer in enumerate(layers)
    ]
    with torch.no_grad():
        for part in inputs.split(BATCH):
            network(part)
    for handle in handles:
        handle.remove()
    return [as_array(part.double()) for part in (inputs.flatten(1), *map(torch.cat, found))]


def read_out(known: NDArray[Any], unknown: NDArray[Any], classes: Sequence[NDArray[Any]]) -> float:
    """Return the accuracy on the second rows of a regression fitted to the first, standardized.

    Args:
        known: training rows, (n, numbers).
        unknown: test rows, (m, numbers).
        classes: of both, (n,) and (m,).
    """
    from warnings import catch_warnings, simplefilter

    from sklearn.linear_model import LogisticRegression

    mean, spread = known.mean(axis=0), known.std(axis=0) + 1e-12
    model = LogisticRegression(max_iter=200)
    with catch_warnings():
        simplefilter("ignore")  # 200 iterations are its budget
        model.fit((known - mean) / spread, classes[0])
    return float(model.score((unknown - mean) / spread, classes[1]))
