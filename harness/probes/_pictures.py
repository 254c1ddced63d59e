"""What draws the pictures of probes, imported at the first picture, and what captions share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.formatting import listed, plural
from harness.lazy import Lazy

if TYPE_CHECKING:
    from harness.figures import _facets as facets
    from harness.figures import _images as images
    from harness.figures import _layout as layout
    from harness.figures import _lines as lines
    from harness.figures import _style as style
    from harness.figures import base
    from harness.probes.base import Shown
else:
    base, style = Lazy("harness.figures.base"), Lazy("harness.figures._style")
    lines, facets = Lazy("harness.figures._lines"), Lazy("harness.figures._facets")
    layout, images = Lazy("harness.figures._layout"), Lazy("harness.figures._images")

MOST_PANELS = 12


def whose(shown: Sequence[Shown]) -> str:
    """Say which seeds are shown: "Seed 0 of each arm"."""
    seeds = sorted({one.seed for one in shown})
    word = "Seed" if len(seeds) == 1 else "Seeds"
    return f"{word} {listed([str(seed) for seed in seeds])} of each arm"


def left_out(count: int) -> str:
    """Say how many panels there was no room for."""
    more = count - MOST_PANELS
    return f" {plural(more, 'more panel')} left out." if more > 0 else ""


def image_panels(
    shown: Sequence[Shown], rows: Callable[[Shown], list[tuple[str, Any]]]
) -> tuple[Any, ...]:
    """Return a panel of images for each trial, as many as there is room for.

    Args:
        shown: the trials.
        rows: returns a trial's rows, each a word and images as bytes.
    """
    with style.theme():
        return tuple(
            images.rows_of_images(f"{one.arm}, seed {one.seed}", rows(one))
            for one in shown[:MOST_PANELS]
        )


def with_ways(shown: Sequence[Shown]) -> list[Shown]:
    """Return the trials whose artifact `ways` has images, shape (ways, steps, c, h, w)."""
    return [
        one
        for one in shown
        if one.parts["ways"].ndim == 5
        and len(one.parts["ways"])
        and images.are_images(one.parts["ways"][0])
    ]


def rows_of_ways(one: Shown) -> list[tuple[str, Any]]:
    """Return a row of images for each way of a trial."""
    return [("", images.as_bytes(way)) for way in one.parts["ways"]]


__all__ = [
    "MOST_PANELS",
    "base",
    "facets",
    "image_panels",
    "images",
    "layout",
    "left_out",
    "lines",
    "rows_of_ways",
    "style",
    "whose",
    "with_ways",
]
