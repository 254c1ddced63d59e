"""One number of each layer of a network: what metrics are made of it, and how it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.lazy import numpy
from harness.probes._pictures import MOST_PANELS, style

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.probes.base import Shown


def metrics_by_layer(name: str, values: Sequence[float]) -> dict[str, float]:
    """Return the metrics of values of the inputs and of each hidden layer, of which there is one.

    The rise is the slope of a straight line over the hidden layers, where there are several.
    """
    layers = values[1:]
    metrics = {f"{name}_inputs": values[0], f"{name}_first": layers[0], f"{name}_last": layers[-1]}
    if len(layers) > 1:
        slope = numpy.polyfit(numpy.arange(len(layers)), layers, 1)[0]
        metrics[f"{name}_rise"] = float(slope)
    return metrics


def by_arm(shown: Sequence[Shown], part: str) -> dict[str, list[NDArray[Any]]]:
    """Return the values of each seed by arm, where there are any."""
    arms: dict[str, list[NDArray[Any]]] = {}
    for one in shown:
        if one.parts[part].ndim == 1 and one.parts[part].size:
            arms.setdefault(one.arm, []).append(one.parts[part])
    return arms


def panels_by_layer(
    arms: Mapping[str, list[NDArray[Any]]],
    label: str,
    limits: Callable[[NDArray[Any]], tuple[float, float]],
) -> tuple[Any, ...]:
    """Draw a panel for each arm, a line for each seed; `limits` are those of all values."""
    low, high = limits(numpy.concatenate([values for every in arms.values() for values in every]))
    panels = []
    with style.theme():
        for arm, every in list(arms.items())[:MOST_PANELS]:
            figure = style.new_figure(3.3, 2.35)
            axes = style.new_axes(figure, (0.62, 0.12, 0.46, 0.3))
            for values in every:
                axes.plot(values, color=style.SERIES[0], linewidth=0.9, alpha=0.6, marker=".")
            axes.set_ylim(low, high)
            axes.set_xticks(range(max(map(len, every))))
            axes.set_title(arm)
            axes.set_xlabel("Hidden layer; 0: the inputs")
            axes.set_ylabel(label)
            panels.append(figure)
    return tuple(panels)
