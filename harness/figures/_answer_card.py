"""The answer to a claim as a picture that can be shown alone, of the size that other sites show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.figures._style import (
    MUTED,
    VERDICT_COLOURS,
    VERDICT_MARKERS,
    new_figure,
    png_bytes,
    theme,
)
from harness.figures.effects import draw_strip
from harness.formatting import with_minus, wrapped
from harness.judged import Verdict

WIDTH, HEIGHT = 7.5, 3.9375
"""Inches: 1200 by 630 pixels."""
_LEFT = 0.45


@dataclass(frozen=True)
class CardTexts:
    """What a card says beside the drawing: study and profile, claim, number in words, details."""

    above: str
    says: str
    sentence: str
    certainty: str
    scope: str


def card_png(row: Verdict, texts: CardTexts) -> bytes:
    """Draw the card of a claim as a PNG of 1200 by 630 pixels; the same claim, the same bytes."""
    with theme():
        figure = new_figure(WIDTH, HEIGHT)
        y = HEIGHT - 0.3

        def write(text: str, size: float, gap: float, **look: Any) -> None:
            nonlocal y
            if text:
                figure.text(_LEFT / WIDTH, y / HEIGHT, text, va="top", fontsize=size,
                            linespacing=1.2, **look)  # fmt: skip
                y -= 1.2 * size / 72 * (text.count("\n") + 1) + gap

        write(wrapped(texts.above, 88, 1), 9.5, 0.1, color=MUTED)
        write(wrapped(texts.says, 48, 2), 16, 0.08, weight="bold")
        colour = VERDICT_COLOURS[row.verdict]
        figure.text((_LEFT + 0.24) / WIDTH, y / HEIGHT, row.words, va="top", fontsize=13,
                    weight="bold", color=colour)  # fmt: skip
        mark = figure.add_axes(((_LEFT - 0.02) / WIDTH, (y - 0.2) / HEIGHT, 0.2 / WIDTH,
                                0.2 / HEIGHT))  # fmt: skip
        mark.axis("off")
        mark.plot(0, 0, marker=VERDICT_MARKERS[row.verdict], markersize=9, color=colour)
        y -= 0.42
        write(wrapped(texts.sentence, 68, 3), 11.5, 0.1)
        if row.effect is not None:
            y -= 0.42
            axes = figure.add_axes(
                (_LEFT / WIDTH, y / HEIGHT, (WIDTH - 2 * _LEFT) / WIDTH, 0.42 / HEIGHT)
            )
            draw_strip(axes, row)
            axes.tick_params(axis="x", labelsize=9)
        y -= 0.3 if row.effect is not None else 0.0
        write(wrapped(with_minus(texts.certainty), 100, 2), 9, 0.05)
        write(wrapped(texts.scope, 100, 2), 9, 0.0, color=MUTED)
    return png_bytes([figure], 1)
