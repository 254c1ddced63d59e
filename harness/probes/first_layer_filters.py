"""The weights of the first layer as images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.formatting import number, plural, wrapped
from harness.lazy import numpy, torch
from harness.probes._networks import as_array
from harness.probes._pictures import MOST_PANELS, base, left_out, style, whose
from harness.probes.base import Fitted, Measured, Showing, Shown, no_images

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor, nn

    from harness.evidence import Evidence
    from harness.figures.base import Picture

LARGEST = 16_000
"""Numbers of all filters together."""
_ACROSS = 6
_FILTER = 0.6


class FirstLayerFilters(Showing):
    """The weights of the first layer as images: its kernels, or what each unit of an mlp sums."""

    name: Literal["first_layer_filters"]
    most: int = Field(24, ge=1, le=64, description="filters to show, those of largest norm")

    parts: ClassVar[tuple[str, ...]] = ("filters", "scale")

    def refusal(self, workload: Any) -> str | None:
        """It needs images, and a network that reads each at once."""
        if "filters" not in workload.model.shows:
            name = workload.model.name
            return f"needs a first layer that reads an image at once; {name} has none"
        return no_images(workload)

    def measure(self, fitted: Fitted) -> Measured:
        """Give the first layer's filters of largest norm as whole numbers from -127 to 127.

        Nothing is given of a network whose first layer does not read images.
        """
        filters = first_filters(fitted.network, fitted.form.shape)
        if filters is None or not self.shows(fitted):
            return Measured()
        count = max(1, min(self.most, LARGEST // filters[0].numel()))
        order = filters.flatten(1).norm(dim=1).argsort(descending=True, stable=True)[:count]
        largest = float(filters[order].abs().max()) or 1.0
        return Measured(
            artifact={
                "filters": as_array((127 * filters[order] / largest).round().to(torch.int8)),
                "scale": numpy.array([largest, float(len(filters))]),
            }
        )

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw the weights of each arm's first layer as images."""
        del evidence
        found = [one for one in shown if _square(one)]
        if not found:
            return None
        rows = max(math.ceil(len(one.parts["filters"]) / _ACROSS) for one in found)
        with style.theme():
            panels = tuple(_bank(one, rows) for one in found[:MOST_PANELS])
        return base.Picture(
            self.name,
            "Filters of the first layer",
            f"{whose(found)}: the weights that the first layer lays over an image (of a"
            " convolution: over each patch of it), those of largest norm first. Grey is zero, white"
            " the largest positive and black the largest negative weight of an arm."
            f"{left_out(len(found))}",
            f"First-layer filters of {plural(len(panels), 'network')}, as small images.",
            panels,
            columns=min(2, len(panels)),
        )


def first_filters(network: nn.Module, shape: tuple[int, ...]) -> Tensor | None:
    """Return the first layer's weights, (filters, channels, height, width).

    Args:
        network: whose first matrix or kernel reads images.
        shape: of an image, (channels, height, width).
    """
    from harness.layers import weight_layers

    layers = weight_layers(network)
    weight = layers[0].detach() if layers else torch.zeros(0)
    if weight.ndim == 4:
        return weight
    if weight.ndim == 2 and len(shape) == 3 and weight.shape[1] == math.prod(shape):
        return weight.reshape(-1, *shape)
    return None


def _square(shown: Shown) -> bool:
    return shown.parts["filters"].ndim == 4 and len(shown.parts["filters"]) > 0


def _bank(shown: Shown, rows: int) -> Figure:
    found, scale = shown.parts["filters"].astype(float), shown.parts["scale"]
    height = 0.42 + rows * (_FILTER + 0.08) + 0.3
    width = 0.16 + _ACROSS * (_FILTER + 0.08)
    figure = style.new_figure(width, height)
    title = wrapped(f"{shown.arm}, seed {shown.seed}", 40, 1)
    figure.text(0.02, 1 - 0.2 / height, title, fontweight="bold", fontsize=9.5, va="center")
    for index, weights in enumerate(found):
        row, column = divmod(index, _ACROSS)
        left, top = 0.08 + column * (_FILTER + 0.08), 0.4 + row * (_FILTER + 0.08)
        axes = style.new_axes(figure, (left, width - left - _FILTER, height - top - _FILTER, top))
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
        for spine in axes.spines.values():  # a white weight ends there, and a page may be black
            spine.set(visible=True, color=style.MUTED, linewidth=0.6)
        if len(weights) == 3:
            colours = (128 + weights.transpose(1, 2, 0)).clip(0, 255).astype(numpy.uint8)
            axes.imshow(colours, interpolation="none")
        else:
            axes.imshow(
                weights.mean(axis=0), cmap="gray", vmin=-127, vmax=127, interpolation="none"
            )
    largest = number(float(scale[0]), 2)
    text = f"{len(found)} of {int(scale[-1])}; the largest weight is {largest}"
    figure.text(0.02, 0.15 / height, text, fontsize=8, va="center", color=style.MUTED)
    return figure
