"""The look of every figure: theme, colours, markers, and how a figure becomes bytes."""

from __future__ import annotations

import io
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FixedLocator
from PIL import Image

INK = "#22272e"
MUTED = "#5c6570"
FAINT = "#c3c9d1"
GRID = "#e6e9ed"
PAPER = "#ffffff"

SERIES = (
    "#0069a8", "#c2500a", "#00805c", "#a8427f", "#8a6a00", "#5b45b0", "#3f8f9f", "#7a5c48",
)  # fmt: skip
"""After Okabe and Ito (2008), darkened until each has a contrast of 4.5 on white."""
CLASS_COLOURS = (*SERIES, "#b3122d", "#4a7000", "#5c6b7a", "#c0399f")
"""For up to twelve classes, which have no lines and need colours of their own."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
LINES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-", (0, (4, 1.6)), (0, (1.2, 1.4)), (0, (6, 1.5, 1.2, 1.5)), (0, (7, 2)), (0, (3, 1, 1, 1)),
    (0, (2, 2)), (0, (8, 2, 2, 2)),
)  # fmt: skip


def colour_of(style: int) -> str:
    """Return the colour of a style; further styles than there are colours share the ink's."""
    return SERIES[style] if style < len(SERIES) else INK


def marker_of(style: int) -> str:
    """Return the marker of a style."""
    return MARKERS[style % len(MARKERS)]


VERDICT_COLOURS = {
    "supported": "#00698f",
    "refuted": "#b8430b",
    "inconclusive": "#6f6200",
    "incomplete": "#5d666f",
}
VERDICT_MARKERS = {"supported": "o", "refuted": "X", "inconclusive": "D", "incomplete": "s"}

PNG_DPI = 160
_RC = {
    "svg.fonttype": "none",
    "svg.hashsalt": "harness",
    "pdf.fonttype": 42,
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # a fixed place spares matplotlib a search for a free one
    "axes.labelsize": 8.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
    "savefig.facecolor": PAPER,
    "path.simplify": True,
}


@contextmanager
def theme() -> Iterator[None]:
    """Apply seaborn's theme and ours, and leave matplotlib's settings as they were."""
    style = {**sns.axes_style("whitegrid"), **sns.plotting_context("paper"), **_RC}
    with warnings.catch_warnings(), mpl.rc_context(style):
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # see `spelt`
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return a figure of this size in inches that pyplot does not know of."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def new_axes(figure: Figure, margins: tuple[float, float, float, float]) -> Axes:
    """Return axes that leave these margins in inches: left, right, bottom, top."""
    left, right, bottom, top = margins
    width, height = figure.get_size_inches()
    return figure.add_axes(
        (
            left / width,
            bottom / height,
            (width - left - right) / width,
            (height - bottom - top) / height,
        )
    )


def spelt(text: str) -> str:
    """Spell out what the font of PNG and PDF lacks: "안녕" as "annyeong", "模" as "U+6A21".

    By the names that Unicode gives to letters and syllables. A page shows the text itself.
    """
    if all(map(_drawable, text)):
        return text
    lines = "".join(c if _drawable(c) else _named(c) for c in text).split("\n")
    return "\n".join(" ".join(line.split()) for line in lines)


@cache
def _drawable(letter: str) -> bool:
    return letter == "\n" or bool(get_font(findfont("DejaVu Sans")).get_char_index(ord(letter)))


def _named(letter: str) -> str:
    name = unicodedata.name(letter, "")
    for kind in (" SYLLABLE ", " LETTER ", " VOWEL SIGN "):
        if kind in name:
            return name.partition(kind)[2].lower()
    return f" U+{ord(letter):04X} "


@contextmanager
def _spelt_in(figure: Figure) -> Iterator[None]:
    """Spell out all texts of a figure, for as long as it is drawn in the font that it has."""
    texts = [(t, t.get_text()) for t in figure.findobj(Text) if isinstance(t, Text)]
    formatters = []
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        if isinstance(axis.get_major_locator(), FixedLocator):
            formatter = axis.get_major_formatter()
            labels = formatter.format_ticks(list(axis.get_majorticklocs()))
            formatters.append((axis, formatter))
            axis.set_major_formatter(FixedFormatter([spelt(label) for label in labels]))
    for text, said in texts:
        text.set_text(spelt(said))
    yield
    for axis, formatter in formatters:
        axis.set_major_formatter(formatter)
    for text, said in texts:
        text.set_text(said)


def arrowhead(axes: Axes, x: float, y: float, way: str, colour: str) -> None:
    """Say with an arrowhead at a frame that something lies beyond it; `way` is one of "<>^v"."""
    axes.plot(
        x, y, marker=way, markersize=5, color=colour, markeredgewidth=0, zorder=5, clip_on=False
    )


def svg_text(figure: Figure) -> str:
    """Draw a figure as SVG; the same figure gives the same text on any day."""
    buffer = io.StringIO()
    empty = {"Date": None, "Creator": None, "Format": None, "Type": None}
    with theme():
        figure.savefig(buffer, format="svg", metadata=empty, transparent=True)
    return buffer.getvalue()


def pdf_bytes(figure: Figure) -> bytes:
    """Draw a figure as PDF; the same figure gives the same bytes on any day."""
    buffer = io.BytesIO()
    empty = {"CreationDate": None, "Creator": None, "Producer": None}
    with theme(), _spelt_in(figure):
        figure.savefig(buffer, format="pdf", metadata=empty)
    return buffer.getvalue()


def png_bytes(panels: Sequence[Figure], columns: int) -> bytes:
    """Draw figures of equal size as one PNG, row by row."""
    with theme():
        images = [_pixels(panel) for panel in panels]
    blank = np.full_like(images[0], 255)
    images += [blank] * (-len(images) % columns)
    rows = [np.hstack(images[i : i + columns]) for i in range(0, len(images), columns)]
    buffer = io.BytesIO()
    picture = Image.fromarray(np.vstack(rows))
    # a palette of 256 colours is a third of the size; this method keeps lines and labels true
    picture = picture.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    picture.save(buffer, "png")
    return buffer.getvalue()


def _pixels(figure: Figure) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    figure.set_dpi(PNG_DPI)
    canvas = FigureCanvasAgg(figure)
    with _spelt_in(figure):
        canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]
