"""Figures as parts of a page: small, without clashing names, in the colours of the page."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from harness.figures.style import FAINT, GRID, INK, MUTED, PAPER, SERIES, VERDICT_COLOURS

COLOUR_NAMES: dict[str, str] = {
    INK: "ink",
    MUTED: "muted",
    FAINT: "faint",
    GRID: "grid",
    PAPER: "paper",
    **{colour: f"series-{index}" for index, colour in enumerate(SERIES)},
    **{colour: verdict for verdict, colour in VERDICT_COLOURS.items()},
}
"""The page gives each of these a value for light and one for dark."""

_HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>\s*|<!--.*?-->\s*", re.DOTALL)
_SIZE = re.compile(r'(<svg[^>]*?) width="[^"]*"|(<svg[^>]*?) height="[^"]*"')
_ID = re.compile(r'\sid="([^"]*)"')
_REFERENCE = re.compile(r'(url\(#|href="#)([^)"]+)')
_GEOMETRY = re.compile(r'\s(?:d|x|y|transform|points|width|height|viewBox|cx|cy|r)="[^"]*"')
_LONG_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
_FONT = re.compile(r"font:\s*([^;\"]*?)([\d.]+px)\s+[^;\"]*")


def inline_svg(svg: str, prefix: str, label: str) -> Markup:
    """Make an SVG document a part of an HTML page.

    Colours become the page's variables, ids that nothing refers to go, the others get a prefix,
    and coordinates (no text) are cut to hundredths of a point.

    Args:
        svg: the document, as matplotlib writes it.
        prefix: unique on the page.
        label: what the picture shows, for screen readers; empty where the text nearby says it.
    """
    text = _METADATA.sub("", _HEAD.sub("", svg))
    text = _SIZE.sub(lambda m: m.group(1) or m.group(2), text)
    text = _SIZE.sub(lambda m: m.group(1) or m.group(2), text)
    text = _GEOMETRY.sub(lambda m: _LONG_NUMBER.sub(r"\1", m.group()), text)
    text = _FONT.sub(r"font: \1\2 sans-serif", text)
    names = {name: f"{prefix}{i}" for i, name in enumerate(_referenced(text))}
    text = _ID.sub(lambda m: f' id="{names[m.group(1)]}"' if m.group(1) in names else "", text)
    text = _REFERENCE.sub(lambda m: m.group(1) + names[m.group(2)], text)
    for colour, name in COLOUR_NAMES.items():
        text = text.replace(colour, f"var(--{name})")
    text = re.sub(r">\s+<", "><", text)
    role = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    return Markup(text.replace("<svg ", f"<svg {role} ", 1))


def _referenced(text: str) -> list[str]:
    return list(dict.fromkeys(match.group(2) for match in _REFERENCE.finditer(text)))
