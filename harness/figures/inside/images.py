"""Pictures made of small images: what Grad-CAM points to, and the filters of the first layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from harness.evidence import Evidence
from harness.figures._style import INK, MUTED, PAPER, SERIES, new_axes, new_figure, theme
from harness.figures.base import Picture
from harness.figures.inside.exhibits import MOST_PANELS, Shown, exhibits, left_out, whose
from harness.wording import number, plural, wrapped

_CELL, _GAP = 0.74, 0.1
_LINE = 16
"""Characters above an image."""
_HEAT = sns.color_palette("rocket", as_cmap=True)


def grad_cams(evidence: Evidence) -> Picture | None:
    """Draw test images beside where their network looked."""
    names = ["images", "maps", "classes", "predicted", "surety"]
    found = [shown for shown in exhibits(evidence, "grad_cam", names) if _has_maps(shown)]
    if not found:
        return None
    width = max(_examples_wide(shown) for shown in found)
    with theme():
        panels = tuple(_looks(shown, width) for shown in found[:MOST_PANELS])
    return Picture(
        "inside-grad-cam",
        "Where a convolutional network looks",
        f"{whose(found)}: Grad-CAM of the last convolution, for the class that was predicted, on"
        " test images. Upper rows: the image, with a line around the half of the map that speaks"
        " most for the class; lower rows: the map, bright where it speaks most. It says where the"
        " evidence lies, not whether it is good evidence. It weighs whole channels: of a network"
        " whose next layer weighs every place by itself it shows little."
        f"{left_out(len(found))}",
        f"Grad-CAM of {plural(len(panels), 'network')}. " + " ".join(map(_mistakes, found)),
        panels,
        columns=1,
    )


def filters(evidence: Evidence) -> Picture | None:
    """Draw the weights of each arm's first layer as images."""
    names = ["filters", "scale"]
    found = [shown for shown in exhibits(evidence, "first_layer_filters", names) if _square(shown)]
    if not found:
        return None
    rows = max(math.ceil(len(shown.parts["filters"]) / _ACROSS) for shown in found)
    with theme():
        panels = tuple(_bank(shown, rows) for shown in found[:MOST_PANELS])
    return Picture(
        "inside-filters",
        "Filters of the first layer",
        f"{whose(found)}: the weights that the first layer lays over an image (of a convolution:"
        " over each patch of it), those of largest norm first. Grey is zero, white the largest"
        f" positive and black the largest negative weight of an arm.{left_out(len(found))}",
        f"First-layer filters of {plural(len(panels), 'network')}, as small images.",
        panels,
        columns=min(2, len(panels)),
    )


# --- Grad-CAM -----------------------------------------------------------------------------------
def _has_maps(shown: Shown) -> bool:
    parts = shown.parts
    count = len(parts["classes"])
    alike = all(len(parts[name]) == count for name in parts)
    return count > 0 and alike and parts["images"].ndim == 4 and parts["maps"].ndim == 3


def _examples_wide(shown: Shown) -> int:
    right = int((shown.parts["classes"] == shown.parts["predicted"]).sum())
    return max(right, len(shown.parts["classes"]) - right)


def _mistakes(shown: Shown) -> str:
    wrong = [
        f"{shown.class_name(int(true))} taken for {shown.class_name(int(said))}"
        for true, said in zip(shown.parts["classes"], shown.parts["predicted"], strict=True)
        if true != said
    ]
    return f"{shown.arm}: mistakes shown are {', '.join(wrong) or 'none'}."


def _looks(shown: Shown, across: int) -> Figure:
    """Draw right examples, and wrong ones below: the image, and under it the map."""
    parts = shown.parts
    right = parts["classes"] == parts["predicted"]
    block, head = 2 * (_CELL + _GAP) + 0.32, 0.28
    width = 0.75 + across * (_CELL + _GAP)
    figure = new_figure(width, head + 2 * block)
    figure.text(
        0.02, 1 - 0.18 / (head + 2 * block), f"{shown.arm}, seed {shown.seed}",
        fontweight="bold", fontsize=9.5, va="center",
    )  # fmt: skip
    for row, (mask, word) in enumerate(((right, "right"), (~right, "wrong"))):
        top = head + row * block
        _write(figure, 0.08, top + 0.3 + _CELL, word)
        for column, index in enumerate(np.flatnonzero(mask)):
            left = 0.65 + column * (_CELL + _GAP)
            heat = _upscaled(parts["maps"][index], parts["images"].shape[-2:])
            told = _told(shown, int(index))
            size = min(6.5, 100 / max(map(len, told.split("\n"))))
            _write(figure, left, top + 0.25, told, size, "bottom")
            upper = _cell(figure, left, top + 0.28)
            _image(upper, parts["images"][index])
            if heat.max() > 0:
                upper.contour(heat, levels=[127.5], colors=SERIES[1], linewidths=1.3)
            lower = _cell(figure, left, top + 0.28 + _CELL + 0.05)
            lower.imshow(heat, cmap=_HEAT, vmin=0, vmax=255, interpolation="none")
            if heat.max() <= 0:
                lower.set_title("nothing", y=0.4, fontsize=7, loc="center", color=PAPER)
        if not mask.any():
            _write(figure, 0.65, top + 0.3 + _CELL, f"none of the test split is {word}", 7.5)
    return figure


def _told(shown: Shown, index: int) -> str:
    """Say what an example was taken for and how surely, and what it is if that is something else.

    Two lines where one would be too long for the width of an image.
    """
    true, said = (shown.class_name(int(shown.parts[n][index])) for n in ("classes", "predicted"))
    share = number(100 * float(shown.parts["surety"][index]), 2)
    parts = [] if said == true else [f"{true} →"]
    parts.append(f"{said} ({share} %)")
    text = " ".join(parts)
    return text if len(text) <= _LINE else "\n".join(parts)


def _write(
    figure: Figure, left: float, top: float, text: str, size: float = 8, anchor: str = "center"
) -> None:
    """Write at a place that is measured in inches from the upper left corner."""
    width, height = figure.get_size_inches()
    colour = INK if size > 7 else MUTED
    figure.text(left / width, 1 - top / height, text, fontsize=size, va=anchor, color=colour)


def _cell(figure: Figure, left: float, top: float) -> Axes:
    """Return axes for one small image, placed in inches from the upper left corner."""
    width, height = figure.get_size_inches()
    axes = new_axes(figure, (left, width - left - _CELL, height - top - _CELL, top))
    axes.axis("off")
    return axes


def _image(axes: Axes, pixels: NDArray[Any]) -> None:
    """Draw an image (channels, height, width) in grey, or in its colours."""
    if len(pixels) == 3:
        axes.imshow(pixels.transpose(1, 2, 0).astype(np.uint8), interpolation="none")
        return
    axes.imshow(pixels.mean(axis=0), cmap="gray", vmin=0, vmax=255, interpolation="none")


def _upscaled(heat: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return a map at the size of its image, by linear interpolation."""
    small = Image.fromarray(heat.astype(np.float32))
    return np.asarray(small.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


# --- filters ------------------------------------------------------------------------------------
_ACROSS = 6
_FILTER = 0.6


def _square(shown: Shown) -> bool:
    return shown.parts["filters"].ndim == 4 and len(shown.parts["filters"]) > 0


def _bank(shown: Shown, rows: int) -> Figure:
    found, scale = shown.parts["filters"].astype(float), shown.parts["scale"]
    height = 0.42 + rows * (_FILTER + 0.08) + 0.3
    width = 0.16 + _ACROSS * (_FILTER + 0.08)
    figure = new_figure(width, height)
    title = wrapped(f"{shown.arm}, seed {shown.seed}", 40, 1)
    figure.text(0.02, 1 - 0.2 / height, title, fontweight="bold", fontsize=9.5, va="center")
    for index, weights in enumerate(found):
        row, column = divmod(index, _ACROSS)
        left, top = 0.08 + column * (_FILTER + 0.08), 0.4 + row * (_FILTER + 0.08)
        axes = new_axes(figure, (left, width - left - _FILTER, height - top - _FILTER, top))
        axes.axis("off")
        if len(weights) == 3:
            colours = (128 + weights.transpose(1, 2, 0)).clip(0, 255).astype(np.uint8)
            axes.imshow(colours, interpolation="none")
        else:
            axes.imshow(
                weights.mean(axis=0), cmap="gray", vmin=-127, vmax=127, interpolation="none"
            )
    largest = number(float(scale[0]), 2)
    text = f"{len(found)} of {int(scale[-1])}; the largest weight is {largest}"
    figure.text(0.02, 0.15 / height, text, fontsize=7.5, va="center", color=MUTED)
    return figure
