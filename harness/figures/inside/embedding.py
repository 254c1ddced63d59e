"""The last hidden layer of a network as a map of the test examples."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from harness.evidence import Evidence
from harness.figures._lines import padded
from harness.figures._style import MARKERS, MUTED, SERIES, new_axes, new_figure, theme
from harness.figures.base import Picture
from harness.figures.inside.exhibits import MOST_PANELS, Shown, exhibits, left_out, whose
from harness.wording import number, plural, wrapped

MOST_NUMERALS = 20
"""Classes up to which an example is drawn as the numeral of its class."""
_NUMERAL_LENGTH = 2
_SIDE = 4.2
_FONT = FontProperties(family=["DejaVu Sans"], weight="bold")


def embeddings(evidence: Evidence) -> Picture | None:
    """Draw the map of the last hidden layer of each arm that has one."""
    names = ["places", "classes", "predicted", "measures"]
    found = [shown for shown in exhibits(evidence, "embedding", names) if _fits(shown)]
    if not found:
        return None
    with theme():
        panels = tuple(_panel(shown) for shown in found[:MOST_PANELS])
    return Picture(
        "inside-embedding",
        "The last hidden layer, as a map",
        f"{whose(found)}: test examples placed by t-SNE so that neighbours in the last hidden"
        " layer stay neighbours; distances between groups mean little. A numeral is an example's"
        f" true class{_key(found[0])}; rings mark wrong predictions. Purity: the share of the ten"
        " nearest neighbours, in the layer itself, that are of the same class. Trustworthiness:"
        " how far neighbours on the map are neighbours in the layer (1: all)."
        f"{left_out(len(found))}",
        f"Maps of the last hidden layer of {plural(len(panels), 'network')}. "
        + " ".join(
            f"{shown.arm}: neighbour purity {number(float(shown.parts['measures'][0]))}."
            for shown in found[:MOST_PANELS]
        ),
        panels,
        columns=min(2, len(panels)),
    )


def _key(shown: Shown) -> str:
    """Say which numeral stands for which class, where classes have names."""
    classes = [int(label) for label in np.unique(shown.parts["classes"])]
    named = [f"{label} {shown.class_name(label)}" for label in classes if _long(shown, label)]
    return f" ({', '.join(named)})" if named else ""


def _long(shown: Shown, label: int) -> bool:
    return len(shown.class_name(label)) > _NUMERAL_LENGTH


def _fits(shown: Shown) -> bool:
    parts = shown.parts
    count = len(parts["classes"])
    same = len(parts["predicted"]) == count and parts["places"].shape == (count, 2)
    return count > 0 and same and len(parts["measures"]) == 2


def _panel(shown: Shown) -> Figure:
    parts = shown.parts
    places = parts["places"].astype(float)
    figure = new_figure(_SIDE, _SIDE)
    axes = new_axes(figure, (0.1, 0.1, 0.3, 0.34))
    axes.set_xlim(*padded(places[:, 0], 0.05))
    axes.set_ylim(*padded(places[:, 1], 0.05))
    axes.set_xticks([])
    axes.set_yticks([])
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    for label in np.unique(parts["classes"]):
        name = str(label) if _long(shown, int(label)) else shown.class_name(int(label))
        _class(axes, places[parts["classes"] == label], int(label), name)
    wrong = places[parts["classes"] != parts["predicted"]]
    axes.plot(
        wrong[:, 0], wrong[:, 1], linestyle="none", marker="o", markersize=9,
        markerfacecolor="none", markeredgecolor=MUTED, markeredgewidth=0.9,
    )  # fmt: skip
    axes.set_title(wrapped(f"{shown.arm}, seed {shown.seed}", 40, 1), pad=6)
    purity, trust = (number(float(value)) for value in parts["measures"])
    axes.set_xlabel(f"Purity {purity}, trustworthiness of the map {trust}", labelpad=4)
    return figure


def _class(axes: Axes, places: np.ndarray, index: int, name: str) -> None:
    numeral = index < MOST_NUMERALS
    marker = _numeral(name) if numeral else MARKERS[index % len(MARKERS)]
    axes.plot(
        places[:, 0], places[:, 1], linestyle="none", marker=marker,
        markersize=5.5 if numeral else 3.5, color=SERIES[index % len(SERIES)], markeredgewidth=0,
    )  # fmt: skip


def _numeral(name: str) -> TextPath:
    """Return a text as a marker around its own middle."""
    path = TextPath((0, 0), name, size=10, prop=_FONT)
    box = path.get_extents()
    centre = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
    return TextPath((-centre[0], -centre[1]), name, size=10, prop=_FONT)
