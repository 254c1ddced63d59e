"""Which class is taken for which."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.formatting import listed, number, plural, wrapped
from harness.lazy import numpy, torch
from harness.probes._networks import as_array, at_rest, outputs_of, test_split
from harness.probes._pictures import MOST_PANELS, base, left_out, style
from harness.probes.base import Fitted, Measured, Probe, Shown, other_targets

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.evidence import Evidence
    from harness.figures._lines import Floats
    from harness.figures.base import Picture

MOST_CLASSES = 100
MOST_WRITTEN = 10
"""Classes up to which counts are written into the cells."""
_DARK = 0.5
_SIDE = 4.9


class ConfusionMatrix(Probe):
    """Which class is taken for which on the test split, as the mean count of a seed."""

    name: Literal["confusion_matrix"]

    parts: ClassVar[tuple[str, ...]] = ("counts",)

    def refusal(self, workload: Any) -> str | None:
        """It needs classes."""
        return other_targets(workload, "class")

    def measure(self, fitted: Fitted) -> Measured:
        """Give the counts of true (rows) and predicted classes (columns) on the test split.

        Nothing is given of more than 100 classes.
        """
        classes = fitted.form.outputs
        if classes > MOST_CLASSES:
            return Measured()
        test = test_split(self, fitted)
        predicted = outputs_of(at_rest(fitted.network), test.inputs).argmax(dim=-1)
        counts = torch.bincount(test.targets * classes + predicted, minlength=classes**2)
        return Measured(artifact={"counts": as_array(counts.view(classes, classes))})

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw true against predicted classes of each arm: mean counts of a seed, their spread."""
        del evidence
        by_arm: dict[str, list[Shown]] = {}
        for one in shown:
            by_arm.setdefault(one.arm, []).append(one)
        fitting = {arm: many for arm, many in by_arm.items() if _agree(many)}
        if not fitting:
            return None
        named = [name for many in fitting.values() for name in _names(many[0])]
        room = 0.062 * max(0, max(map(len, named)) - 2)
        drawn = list(fitting.items())[:MOST_PANELS]
        with style.theme():
            panels = tuple(_panel(arm, many, room) for arm, many in drawn)
        return base.Picture(
            self.name,
            "Which class is taken for which",
            "Examples of the test split by their true and their predicted class, with the weights"
            " of the selected epoch: the mean count over the confirmation seeds and, below it, the"
            " standard deviation between seeds. The stronger its colour, the larger a cell's share"
            f" of its row.{left_out(len(fitting))}",
            f"Confusion matrices of {plural(len(panels), 'arm')}. "
            + " ".join(_in_words(arm, many) for arm, many in drawn),
            panels,
            columns=min(2, len(panels)),
            data=[row for arm, many in drawn for row in _numbers_of(arm, many)],
        )


def _agree(many: list[Shown]) -> bool:
    shape = many[0].parts["counts"].shape
    square = len(shape) == 2 and shape[0] == shape[1]
    return square and all(one.parts["counts"].shape == shape for one in many)


def _in_words(arm: str, many: list[Shown]) -> str:
    """Name the commonest confusions of an arm, with their mean counts over seeds."""
    total = numpy.mean([one.parts["counts"] for one in many], axis=0)
    wrong = total - numpy.diag(numpy.diag(total))
    places = [numpy.unravel_index(i, wrong.shape) for i in numpy.argsort(-wrong, axis=None)[:3]]
    name = many[0].class_name
    named = [
        f"{name(int(i))} taken for {name(int(j))} ({number(float(wrong[i, j]))} times a seed)"
        for i, j in places
        if wrong[i, j] > 0
    ]
    return f"{arm}: {listed(named)}." if named else f"{arm}: no confusion."


def _numbers_of(arm: str, many: list[Shown]) -> list[dict[str, Any]]:
    counts = numpy.array([one.parts["counts"] for one in many], dtype=float)
    none, name = numpy.full(counts[0].shape, math.nan), many[0].class_name
    spread = counts.std(axis=0, ddof=1) if len(counts) > 1 else none
    return [
        {"arm": arm, "true": name(i), "predicted": name(j), "mean": float(mean),
         "deviation": float(spread[i, j])}
        for (i, j), mean in numpy.ndenumerate(counts.mean(axis=0))
    ]  # fmt: skip


def _names(shown: Shown) -> list[str]:
    """Return the names of the classes, cut where they are long."""
    return [wrapped(shown.class_name(i), 14, 1) for i in range(len(shown.parts["counts"]))]


def _panel(arm: str, many: list[Shown], room: float) -> Figure:
    """Draw the matrix of an arm; names of classes need some more room than a digit."""
    counts = numpy.array([one.parts["counts"] for one in many], dtype=float)
    figure = style.new_figure(_SIDE + room, _SIDE + room)
    axes = style.new_axes(figure, (0.62 + room, 0.12, 0.56 + room, 0.34))
    classes = counts.shape[1]
    axes.set_xlim(-0.5, classes - 0.5)
    axes.set_ylim(classes - 0.5, -0.5)
    axes.grid(visible=False)
    mean = counts.mean(axis=0)
    share = mean / numpy.maximum(mean.sum(axis=1, keepdims=True), 1e-9)
    _cells(axes, share)
    if classes <= MOST_WRITTEN:
        spread = counts.std(axis=0, ddof=1) if len(counts) > 1 else None
        _numbers(axes, mean, share, spread)
    _name_axes(axes, _names(many[0]))
    title = f"{arm}, {plural(len(many), 'seed')}"
    axes.set_title(wrapped(title, 40, 1), pad=6)
    return figure


def _cells(axes: Axes, share: Floats) -> None:
    """Fill each cell by its share of the row; an alpha suits light pages and dark ones."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    for (row, column), value in numpy.ndenumerate(share):
        if value > 0:
            cell = Rectangle((column - 0.48, row - 0.48), 0.96, 0.96)
            alpha, colour = 0.08 + 0.9 * float(value), style.SERIES[0]
            axes.add_collection(
                PatchCollection([cell], facecolor=colour, edgecolor="none", alpha=alpha)
            )


def _numbers(axes: Axes, mean: Floats, share: Floats, spread: Floats | None) -> None:
    for (row, column), count in numpy.ndenumerate(mean):
        if count == 0:
            continue
        dark = share[row, column] > _DARK
        colour = style.PAPER if dark else style.INK
        lift = 0.0 if spread is None else 0.2
        axes.text(
            column,
            row - lift,
            number(float(count), 2),
            ha="center",
            va="center",
            fontsize=7.5,
            color=colour,
        )
        if spread is not None:
            below = number(float(spread[row, column]), 2)
            axes.text(
                column, row + 0.24, f"±{below}", ha="center", va="center", fontsize=7.5,
                color=colour if dark else style.MUTED,
            )  # fmt: skip


def _name_axes(axes: Axes, names: list[str]) -> None:
    step = max(1, len(names) // 20)
    ticks = range(0, len(names), step)
    axes.set_xticks(ticks, [names[tick] for tick in ticks])
    axes.set_yticks(ticks, [names[tick] for tick in ticks])
    axes.tick_params(length=0)
    if max(map(len, names)) > 2:
        axes.tick_params(axis="x", rotation=90)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel("Predicted class", labelpad=3)
    axes.set_ylabel("True class", labelpad=3)
