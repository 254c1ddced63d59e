"""How accuracy falls as weights of a trained network are removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from pydantic import Field, field_validator

from harness.lazy import numpy, torch
from harness.metrics import Metric
from harness.probes._networks import at_rest, outputs_of, test_split
from harness.probes._pictures import MOST_PANELS, base, facets, left_out, lines
from harness.probes.base import Fitted, Measured, Probe, Shown, other_targets
from harness.seeding import stream

if TYPE_CHECKING:
    from torch import Tensor

    from harness.evidence import Evidence
    from harness.figures._lines import Floats
    from harness.figures.base import Picture

Percent = Literal[10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98, 99]
_SHARE, _CHANGE = (0.0, 1.0), (-1.0, 1.0)
_SHOWN = Metric("accuracy", "maximize", bounds=_SHARE)


def _metrics(percent: int) -> tuple[Metric, ...]:
    what = f"where {percent} % of the weights are removed"
    return (
        Metric(f"pruned_accuracy_{percent}", "maximize", "", f"test accuracy {what}", _SHARE),
        Metric(
            f"pruning_loss_of_accuracy_{percent}", "minimize", "",
            f"test accuracy that is lost {what}", _CHANGE,
        ),
        Metric(
            f"pruning_advantage_{percent}", "maximize", "",
            f"test accuracy {what}, minus that where as many are removed at random", _CHANGE,
        ),
    )  # fmt: skip


class Pruning(Probe):
    """Test accuracy of a trained network where its smallest weights are removed, without training.

    Weights are compared over all matrices and kernels together, each in units of the root mean
    square of its own (Han et al. 2015); biases and norms stay. Beside it as many are removed at
    random, drawn by the seed. For training on with the weights that are left, see the task
    pruned_classification.
    """

    name: Literal["pruning"]
    removed: list[Percent] = Field(
        default=[50, 80, 90, 95], min_length=1, description="shares in per cent"
    )

    metrics: ClassVar[tuple[Metric, ...]] = tuple(
        metric for percent in get_args(Percent) for metric in _metrics(percent)
    )
    parts: ClassVar[tuple[str, ...]] = ("removed", "smallest", "random")

    @field_validator("removed")
    @classmethod
    def _in_order(cls, values: list[Any]) -> list[Any]:
        """One order, each once, so that two spellings are one trial."""
        return sorted(set(values))

    @property
    def measures(self) -> Mapping[str, Metric]:
        """See `Probe`."""
        found = [metric for percent in self.removed for metric in _metrics(percent)]
        return {metric.name: metric for metric in found}

    def refusal(self, workload: Any) -> str | None:
        """It needs a class for each input."""
        return other_targets(workload, "class")

    def measure(self, fitted: Fitted) -> Measured:
        """Give the accuracies."""
        from harness.layers import weight_layers
        from harness.layers.pruning import remove_at_random, remove_smallest

        test = test_split(self, fitted)

        def accuracy(remove: Callable[[list[Tensor]], None]) -> float:
            network = at_rest(fitted.network)
            remove([parameter.detach() for parameter in weight_layers(network)])
            said = outputs_of(network, test.inputs).argmax(dim=-1)
            return float((said == test.targets).double().mean())

        whole = accuracy(lambda _: None)
        smallest, chance = [whole], [whole]
        for percent in self.removed:
            draws = torch.Generator().manual_seed(stream(fitted.seed, f"{self.name} {percent}"))
            smallest.append(accuracy(lambda w, p=percent: remove_smallest(w, p / 100)))  # type: ignore[misc]
            chance.append(
                accuracy(lambda w, p=percent, d=draws: remove_at_random(w, p / 100, d))  # type: ignore[misc]
            )
        values = [
            value
            for kept, drawn in zip(smallest[1:], chance[1:], strict=True)
            for value in (kept, whole - kept, kept - drawn)
        ]
        return Measured(
            dict(zip(self.measures, values, strict=True)),
            {
                "removed": numpy.array([0, *self.removed]),
                "smallest": numpy.array(smallest),
                "random": numpy.array(chance),
            },
        )

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw the accuracy over the share removed, a panel for each arm."""
        panels = []
        for arm in evidence.plan.all_arms:
            mine = [one.parts for one in shown if one.arm == arm.name]
            same = [
                parts for parts in mine
                if len(parts["removed"]) > 1
                and numpy.array_equal(parts["removed"], mine[0]["removed"])
                and parts["smallest"].shape == parts["random"].shape == parts["removed"].shape
            ]  # fmt: skip
            if same:
                places: Floats = same[0]["removed"].astype(float)
                drawn = [
                    lines.line_of_means(
                        word, style, places, numpy.array([p[key] for p in same]), _SHOWN
                    )
                    for style, (word, key) in enumerate(
                        {"the smallest": "smallest", "at random": "random"}.items()
                    )
                ]
                panels.append(lines.Facet(arm.name, drawn))
        if not panels:
            return None
        frame = lines.Frame("Weights removed, %", "Test accuracy", whole_x=True)
        pictures = lines.draw_facets(panels[:MOST_PANELS], frame)
        return base.Picture(
            self.name,
            "Accuracy over the share of weights removed",
            "Test accuracy of trained networks where the smallest weights, or as many at random,"
            " are set to zero, without training afterwards. Mean over the confirmation seeds with"
            f" its pointwise 95 % t interval. {facets.GREY}{left_out(len(panels))}",
            "Test accuracy over the share of weights removed, one panel for each arm.",
            pictures,
            columns=facets.columns(len(pictures)),
        )
