"""How much each step of a Transformer attends to each other one."""

from __future__ import annotations

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from harness.evidence import Evidence
from harness.figures._style import new_axes, new_figure, theme
from harness.figures.base import Picture
from harness.figures.inside.exhibits import MOST_PANELS, Shown, exhibits, left_out, whose
from harness.wording import number, plural, wrapped

_SIDE = 3.2
_SHADES = sns.color_palette("rocket_r", as_cmap=True)
_SIGNS = {" ": "␣", "\n": "↵", "\t": "⇥", "": "·"}


def attention(evidence: Evidence) -> Picture | None:
    """Draw the attention weights of every head on one test example."""
    names = ["maps", "heads", "steps", "tokens"]
    found = [shown for shown in exhibits(evidence, "attention_maps", names) if _fits(shown)]
    if not found:
        return None
    every = [(shown, index) for shown in found for index in range(len(shown.parts["maps"]))]
    with theme():
        longest = max(len(_label(token)) for shown in found for token in shown.parts["tokens"])
        panels = tuple(_panel(shown, index, longest) for shown, index in every[:MOST_PANELS])
    steps, whole = (int(value) for value in found[0].parts["steps"])
    cut = f" Shown are the first {steps} of {whole} steps." if steps < whole else ""
    across = min(2 if len(panels) in (2, 4) else 3, len(panels))
    return Picture(
        "inside-attention",
        "What attends to what",
        f"{whose(found)}, one test example: each row is a step that attends, each column a step"
        " that is attended to; a row sums to 1 over the whole example. The darker, the larger the"
        f" weight, up to the largest of each head.{cut}{left_out(len(every))}",
        f"Attention of {plural(len(panels), 'head')} on the example "
        f"“{''.join(map(str, found[0].parts['tokens']))}”.",
        panels,
        columns=across,
        flow="pair" if across < 3 else "grid",
    )


def _fits(shown: Shown) -> bool:
    maps, steps = shown.parts["maps"], len(shown.parts["tokens"])
    count = len(shown.parts["heads"])
    return maps.shape == (count, steps, steps) and count > 0 and len(shown.parts["steps"]) == 2


def _label(token: object) -> str:
    """Write a token so that it can be seen, and is not too long."""
    return wrapped(_SIGNS.get(str(token), str(token)), 12, 1)


def _panel(shown: Shown, index: int, longest: int) -> Figure:
    weights = shown.parts["maps"][index].astype(float) / 1000
    tokens = [_label(token) for token in shown.parts["tokens"]]
    room = 0.12 + 0.062 * longest
    figure = new_figure(_SIDE + room, _SIDE + room + 0.44)
    axes = new_axes(figure, (room, 0.1, room + 0.24, 0.3))
    axes.imshow(weights, cmap=_SHADES, vmin=0, vmax=max(weights.max(), 1e-3), interpolation="none")
    axes.grid(visible=False)
    ticks = range(len(tokens))
    size = min(7.0, 150 / len(tokens))
    axes.set_xticks(ticks, tokens, fontsize=size)
    axes.set_yticks(ticks, tokens, fontsize=size)
    if longest > 1:
        axes.tick_params(axis="x", rotation=90)
    axes.tick_params(length=0, pad=1.5)
    layer, head = (int(value) for value in shown.parts["heads"][index])
    title = f"{shown.arm}, layer {layer}, head {head}"
    axes.set_title(wrapped(title, 34, 1), pad=6)
    largest = number(float(np.max(weights)), 2)
    axes.set_xlabel(f"Attended to; the largest weight is {largest}", labelpad=2)
    return figure
