"""How the gradient of a late loss shrinks on its way back through time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.data_spec import IGNORED
from harness.formatting import plural
from harness.lazy import functional, numpy, torch
from harness.metrics import Metric
from harness.probes._networks import exact_twin, in_double, test_split
from harness.probes._pictures import MOST_PANELS, base, left_out, style, whose
from harness.probes.base import Fitted, Measured, Showing, Shown

if TYPE_CHECKING:
    from torch import Tensor

    from harness.evidence import Evidence
    from harness.figures.base import Picture

TINY = 1e-300
"""Norms below it count as this much: they have no logarithm."""


class GradientOverTime(Showing):
    """Norm of the gradient of the last loss with respect to the state so many steps before it.

    In double precision, of the last layer, averaged over test examples as logarithms. The state is
    what a step hands on: of an LSTM, hidden state and cell. The decay is the slope of the logarithm
    over the lag (Bengio et al. 1994): 0 keeps the gradient, -0.7 halves it at every step.
    """

    name: Literal["gradient_over_time"]
    lags: int = Field(20, ge=2, le=1000, description="steps back, at most")
    examples: int = Field(32, ge=1, le=1000, description="of the test split, from its first")

    needs_initial: ClassVar[bool] = True
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("gradient_decay", None, "per step", "slope of the log gradient over the lag"),
        Metric(
            "gradient_decay_start", None, "per step",
            "slope of the log gradient over the lag before training",
        ),
    )  # fmt: skip
    parts: ClassVar[tuple[str, ...]] = ("norms",)

    def refusal(self, workload: Any) -> str | None:
        """It needs a network that hands a state on, step by step, in one direction."""
        if workload.model.name != "recurrent":
            return f"needs the built-in recurrent network; this is {workload.model.name}"
        if workload.model.bidirectional:
            return "needs one direction: backwards, the last loss is one step away from all others"
        if workload.model.pooling == "mean" and workload.data.kind != "sequence":
            return "needs a loss of the last state: with `pooling: mean` every step is next to it"
        return None

    def measure(self, fitted: Fitted) -> Measured:
        """Give the decay before and after training, and the norms of networks that are shown."""
        split = test_split(self, fitted)
        inputs, targets = split.inputs[: self.examples], split.targets[: self.examples]
        networks = {"": fitted.network, "_start": fitted.initial}
        found, kept = {}, []
        for when, network in networks.items():
            if network is None:
                continue
            logs = log_norms(exact_twin(network), in_double(inputs), targets, self.lags)
            lags = numpy.arange(len(logs))
            found[f"gradient_decay{when}"] = float(numpy.polyfit(lags, logs, 1)[0])
            kept.append(logs / math.log(10))
        shown = {"norms": numpy.round(kept, 4)} if self.shows(fitted) else {}
        return Measured(found, shown)

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw the norms over the lag, before and after training, each by its norm at lag 0."""
        del evidence
        found = [one for one in shown if one.parts["norms"].ndim == 2]
        if not found:
            return None
        panels = []
        low = min(float((one.parts["norms"].T - one.parts["norms"][:, 0]).min()) for one in found)
        with style.theme():
            for one in found[:MOST_PANELS]:
                figure = style.new_figure(3.3, 2.35)
                axes = style.new_axes(figure, (0.68, 0.15, 0.46, 0.3))
                for i, norms in enumerate(one.parts["norms"][:2]):
                    axes.plot(
                        norms - norms[0], color=style.SERIES[i], linestyle=style.LINES[i],
                        label=("after training", "before")[i],
                    )  # fmt: skip
                axes.set_ylim(max(low, -40) * 1.05 - 0.2, 0.8)
                axes.set_title(f"{one.arm}, seed {one.seed}")
                axes.set_xlabel("Steps before the loss")
                axes.set_ylabel("Gradient, log10 of its share")
                axes.legend(frameon=False, fontsize=7)
                panels.append(figure)
        return base.Picture(
            self.name,
            "Gradients on their way back through time",
            f"{whose(found)}: norm of the gradient of the last loss by the state so many steps"
            f" before, divided by that at the last step; −1 is a tenth.{left_out(len(found))}",
            f"Decay of gradients over time in {plural(len(panels), 'network')}.",
            tuple(panels),
            columns=min(3, len(panels)),
        )


def log_norms(network: Any, inputs: Tensor, targets: Tensor, lags: int) -> Any:
    """Return the mean natural logarithm of the gradient's norm, by lag, shape (lags + 1 or fewer,).

    Args:
        network: of recurrent layers, in double precision.
        inputs: (n, steps) or (n, steps, numbers), without padding.
        targets: (n,) or (n, outputs), or (n, steps), whose last position that counts has the loss.
        lags: steps back, at most.
    """
    steps = as_inputs(network, inputs)
    for layer in network.layers[:-1]:
        steps = layer(steps)[0]
    last, state = network.layers[-1], None
    handed: list[tuple[Tensor, ...]] = []
    for now in steps.split(1, dim=1):
        _, after = last(now, state)
        parts = after if isinstance(after, tuple) else (after,)
        handed.append(parts)
        for part in parts:
            part.retain_grad()
        state = after
    place = len(handed) - 1
    if targets.dim() == 2 and not targets.is_floating_point():
        place = int((targets != IGNORED).any(dim=0).nonzero()[-1])
        targets = targets[:, place]
    outputs = network.last(handed[place][0][-1])
    if targets.is_floating_point():
        loss = functional.mse_loss(outputs, targets.to(outputs.dtype), reduction="sum")
    else:
        loss = functional.cross_entropy(outputs, targets, ignore_index=IGNORED, reduction="sum")
    loss.backward()
    logs = []
    for parts in handed[place::-1][: lags + 1]:
        squares: Any = sum(
            part.grad.square().sum(dim=(0, 2)) for part in parts if part.grad is not None
        )
        logs.append(squares.sqrt().clamp(min=TINY).log().mean())
    return torch.stack(logs).cpu().numpy()


def as_inputs(network: Any, inputs: Tensor) -> Any:
    """Return what the first layer reads: vectors of tokens, or numbers, (n, steps, numbers)."""
    from harness.layers.sequences import as_steps

    return as_steps(inputs) if network.embedding is None else network.embedding(inputs)
