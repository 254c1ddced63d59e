"""How large gradients are, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.lazy import numpy, torch
from harness.metrics import Metric
from harness.probes._networks import exact_twin, in_double
from harness.probes._pictures import base, facets, layout, lines
from harness.probes.base import POSITIVE, Fitted, Measured, Probe, Shown

if TYPE_CHECKING:
    from torch import nn

    from harness.evidence import Evidence
    from harness.figures._layout import Member
    from harness.figures._lines import Floats, Line
    from harness.figures.base import Picture
    from harness.tasks import Objective

LOOKED_AT = 512
"""Training examples whose loss is differentiated."""
_RATIO = "gradient, first layer ÷ last layer"


class GradientNorms(Probe):
    """Gradient norm of each layer's weights, before the first step and after the last epoch.

    Gives `probe.gradient_ratio_start` and `_end`: first layer over last layer; and
    `probe.first_gradient_start` and `_end`: the first layer's norm itself.
    """

    name: Literal["gradient_norms"]

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("gradient_ratio_start", None, "", f"{_RATIO}, before training", POSITIVE),
        Metric("gradient_ratio_end", None, "", f"{_RATIO}, after training", POSITIVE),
        Metric("first_gradient_start", bounds=POSITIVE),
        Metric("first_gradient_end", bounds=POSITIVE),
    )
    parts: ClassVar[tuple[str, ...]] = ("start", "end")
    needs_initial: ClassVar[bool] = True
    of_loss: ClassVar[tuple[str, ...]] = ("first_gradient_start", "first_gradient_end")

    @classmethod
    def key(cls, part: str) -> str:
        """See `Probe`; the norms have had names of their own from the beginning."""
        return f"probe.gradient_norms_{part}"

    def measure(self, fitted: Fitted) -> Measured:
        """Give norms by layer before the first step and with the final weights, and their ratio."""
        assert fitted.objective is not None
        metrics, artifact = {}, {}
        for moment, network in (("start", fitted.initial), ("end", fitted.network)):
            assert network is not None
            norms = gradient_norms(network, fitted.splits.train, fitted.objective)
            artifact[moment] = numpy.array(norms)
            metrics[f"first_gradient_{moment}"] = norms[0]
            if norms[-1] > 0:
                metrics[f"gradient_ratio_{moment}"] = norms[0] / norms[-1]
        return Measured(metrics, artifact)

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw the gradient norm of each layer before training, on a logarithmic scale."""
        norms: dict[str, list[Floats]] = {}
        for one in shown:
            if one.parts["start"].ndim == 1 and one.parts["start"].size > 1:
                norms.setdefault(one.arm, []).append(one.parts["start"].astype(float))

        def line(member: Member) -> Callable[[], Line] | None:
            rows = norms.get(member.arm, [])
            if not rows or len({len(row) for row in rows}) > 1:
                return None
            table = numpy.array(rows)
            if not (table > 0).all():
                return None
            layers = numpy.arange(1, table.shape[1] + 1, dtype=float)
            band = _logarithmic_band
            return lambda: lines.Line(member.label, member.style, layers, *band(table))

        groups, left_out = facets.facets_of(layout.lay_out(evidence.plan), line)
        if not groups:
            return None
        layer = "Layer, counted from the input"
        frame = lines.Frame(layer, "Gradient norm", log_y=True, whole_x=True)
        panels = lines.draw_facets(groups, frame)
        return base.Picture(
            self.name,
            "Gradients by layer, before training",
            "Norm of the loss gradient of each layer's weights before the first step: geometric"
            " mean over the confirmation seeds with its pointwise 95 % t interval, on a logarithmic"
            " scale. A line that falls to the left is a gradient that vanishes; an"
            " arrowhead at the frame stands for one below a hundred-millionth of the largest."
            f" {facets.GREY}{left_out}",
            f"Gradient norms of {facets.counted(groups)} by layer, one panel per group, logarithmic"
            " scale.",
            panels,
            columns=facets.columns(len(panels)),
            data=facets.numbers_of(groups, frame),
        )


def gradient_norms(network: nn.Module, examples: Any, objective: Objective) -> list[float]:
    """Return the Frobenius norm of the loss gradient of each weight matrix, first layer first.

    Computed on the first 512 examples by an `exact_twin`. Frozen layers count as if they were not.

    Args:
        network: is left as it was.
        examples: `inputs` and `targets`, each (n, ...).
        objective: whose loss is differentiated.
    """
    from harness.layers import weight_layers

    twin = exact_twin(network)
    inputs, targets = in_double(examples.inputs[:LOOKED_AT]), examples.targets[:LOOKED_AT]
    loss = objective.loss.alone(twin(inputs), in_double(targets))
    gradients = torch.autograd.grad(loss, weight_layers(twin), materialize_grads=True)
    return [float(gradient.norm()) for gradient in gradients]


def _logarithmic_band(table: Floats) -> tuple[Floats, Floats, Floats]:
    """Geometric mean and t interval of each column; shape (seeds, layers) to three of (layers,)."""
    from harness.stats.intervals import t_interval

    logs = numpy.log(table)
    bounds = numpy.array([t_interval(column) for column in logs.T])
    with numpy.errstate(over="ignore"):
        return numpy.exp(logs.mean(axis=0)), numpy.exp(bounds[:, 0]), numpy.exp(bounds[:, 1])
