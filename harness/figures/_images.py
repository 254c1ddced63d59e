"""Rows of small images with a word before each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from harness.figures import _style as style
from harness.formatting import wrapped

_CELL, _GAP = 0.46, 0.05
_HEAD, _FOOT = 0.34, 0.26

Row = tuple[str, NDArray[Any]]
"""What stands before a row, and its images (n, channels, height, width), bytes."""


def rows_of_images(title: str, rows: Sequence[Row], said: str = "") -> Figure:
    """Return a figure of rows of images, which may have different numbers of them.

    Args:
        title: above it.
        rows: from top to bottom.
        said: below it.
    """
    most = max(len(images) for _, images in rows)
    left = 0.1 + 0.068 * max(len(word) for word, _ in rows) + (0.06 if rows[0][0] else 0)
    width = max(left + most * (_CELL + _GAP) + 0.1, 2.2)
    height = _HEAD + len(rows) * (_CELL + _GAP) + (_FOOT if said else 0.08)
    figure = style.new_figure(width, height)
    figure.text(
        0.1 / width, 1 - 0.17 / height, wrapped(title, 60, 1), fontweight="bold", fontsize=9.5,
        va="center",
    )  # fmt: skip
    for place, (word, images) in enumerate(rows):
        top = _HEAD + place * (_CELL + _GAP)
        figure.text(
            (left - 0.07) / width, 1 - (top + _CELL / 2) / height, word, fontsize=7.5,
            ha="right", va="center", color=style.MUTED,
        )  # fmt: skip
        for column, image in enumerate(images):
            start = left + column * (_CELL + _GAP)
            box = (start, width - start - _CELL, height - top - _CELL, top)
            axes = style.new_axes(figure, box)
            axes.axis("off")
            if len(image) == 3:
                axes.imshow(image.transpose(1, 2, 0), interpolation="none")
            else:
                axes.imshow(image[0], cmap="gray_r", vmin=0, vmax=255, interpolation="none")
    if said:
        figure.text(0.1 / width, 0.13 / height, said, fontsize=7.5, va="center", color=style.MUTED)
    return figure


def are_images(array: NDArray[Any]) -> bool:
    """Whether an array of a record can be drawn: images of one channel or three, at least one."""
    return array.ndim == 4 and len(array) > 0 and array.shape[1] in (1, 3) and array[0].size > 0


def as_bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Return numbers of a record as pixels."""
    found: NDArray[np.uint8] = np.clip(array, 0, 255).astype(np.uint8)
    return found
