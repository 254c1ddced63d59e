"""Figures as SVG: parts of a page in its colours, and files of their own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from markupsafe import Markup, escape

from harness.figures._style import (
    CLASS_COLOURS,
    FAINT,
    GRID,
    INK,
    MUTED,
    PAPER,
    VERDICT_COLOURS,
)
from harness.trial import digest

COLOUR_NAMES: dict[str, str] = {
    INK: "ink",
    MUTED: "muted",
    FAINT: "faint",
    GRID: "grid",
    PAPER: "paper",
    **{colour: f"series-{index}" for index, colour in enumerate(CLASS_COLOURS)},
    **{colour: verdict for verdict, colour in VERDICT_COLOURS.items()},
}
"""The page gives each of these a value for light and one for dark."""

_HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>\s*|<!--.*?-->\s*", re.DOTALL)
_SIZE = re.compile(r'(<svg[^>]*?) width="[^"]*"|(<svg[^>]*?) height="[^"]*"')
_SIZE_UNIT = re.compile(r'(\s(?:width|height)="[\d.]+)pt"')
_EXTENT = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_ID = re.compile(r'\sid="([^"]*)"')
_REFERENCE = re.compile(r'(url\(#|href="#)([^)"]+)')
_GEOMETRY = re.compile(r'\s(?:d|x|y|transform|points|width|height|viewBox|cx|cy|r)="[^"]*"')
_LONG_TAIL = re.compile(r"(?<=\d\.\d)\d+")
_FONT = re.compile(r"font-family: [^;\"]*;? ?|(?<=font: )([^;\"]*?)([\d.]+px)\s+[^;\"]*")
_NO_TURN = re.compile(r' transform="rotate\(-?0 [^"]*"')
_GROUP = re.compile(r"<g>|<g [^>]*>|</g>")
_OF_FILES = re.compile(
    r' xmlns(?::xlink)?="[^"]*"| version="1.1"|<defs><style type="text/css">[^<]*</style></defs>'
)
"""What a document needs and a part of a page does not; the page has the rule for all of them."""
_PATH = re.compile(r' d="([^"]*)"')
_COMMAND = re.compile(r" ?([A-Za-z]) ?")
_STEP = re.compile(r"([A-Za-z])([^A-Za-z]*)")
_DATA = re.compile(r'(?<= d=")[^"]*')
_ALIKE = re.compile(
    r'(<path d=")([^"]*)("(?: clip-path="[^"]*")? style="fill: ?none;(?![^"]*opacity)[^"]*"/>)'
    r'(?:<path d="[^"]*\3)+'
)
_LONG_PATH = re.compile(r'<path d="([^"]{400,})"(?: clip-path="[^"]*")? style="([^"]*)"/>')
_STYLE = re.compile(r'(<[^<>]*?) style="([^"]*)"')


def inline_svg(svg: str, prefix: str, label: str) -> Markup:
    """Make an SVG document a part of an HTML page.

    Colours become the page's variables, ids that nothing refers to go, the others get a prefix,
    and coordinates (no text) are cut to tenths of a point.

    Args:
        svg: the document, as matplotlib writes it.
        prefix: unique on the page.
        label: what the picture shows, for screen readers; empty where the text nearby says it.
    """
    text = _small(svg, f"f{digest(prefix)[:5]}-")
    text = _OF_FILES.sub("", text).replace("xlink:href", "href")
    text = _joined(_PATH.sub(lambda m: f' d="{_tight(m.group(1))}"', text))
    for _ in range(2):  # the width, then the height
        text = _SIZE.sub(lambda m: m.group(1) or m.group(2), text)
    for colour, name in COLOUR_NAMES.items():
        text = text.replace(colour, f"var(--{name})")
    role = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    return Markup(text.replace("<svg ", f"<svg {role} ", 1))


def _tight(path: str) -> str:
    """Write the data of a path without the spaces and letters that it can do without."""
    parts, before = [], ""
    for command, numbers in _STEP.findall(_COMMAND.sub(r"\1", path)):
        goes_on = command == "L" and before in ("M", "L")  # more points are lines by themselves
        parts.append(f" {numbers}" if goes_on else f"{command}{numbers}")
        before = command
    return "".join(parts).replace(" -", "-")


def _joined(text: str) -> str:
    """Make one path of neighbours that are the same but for their data, and have no filling."""

    def join(match: re.Match[str]) -> str:
        return "{}{}{}".format(match[1], "".join(_DATA.findall(match[0])), match[3])

    return _ALIKE.sub(join, text)


def drawn_once(panels: Sequence[str], prefix: str) -> list[Markup]:
    """Keep of a long path that several panels have the first one, to which the others refer.

    Args:
        panels: parts of one page, as `inline_svg` gives them, or nested documents.
        prefix: unique on the page.
    """
    names: dict[tuple[str, str], str] = {}
    counts = Counter(_drawn(match) for panel in panels for match in _LONG_PATH.finditer(panel))

    def once(match: re.Match[str]) -> str:
        key = _drawn(match)
        if counts[key] < 2:
            return match[0]
        if key in names:
            return f'<use href="#{names[key]}"/>'
        names[key] = f"o{digest(prefix)[:5]}-{len(names)}"
        return match[0].replace("<path ", f'<path id="{names[key]}" ', 1)

    return [Markup(_LONG_PATH.sub(once, panel)) for panel in panels]


def _drawn(match: re.Match[str]) -> tuple[str, str]:
    return match[1], match[2]


def svg_file(panels: Sequence[str], columns: int, label: str) -> str:
    """Return panels of equal size as one SVG document on white, row by row.

    Args:
        panels: documents, as matplotlib writes them.
        columns: panels side by side.
        label: what the picture shows.
    """
    texts = [_small(panel, f"p{index}-") for index, panel in enumerate(panels)]
    width, height = (float(value) for value in _EXTENT.findall(texts[0])[0])
    whole = width * min(columns, len(texts)), height * -(-len(texts) // columns)
    placed = [
        text.replace(
            "<svg ", f'<svg x="{width * (i % columns):g}" y="{height * (i // columns):g}" ', 1
        )
        for i, text in enumerate(texts)
    ]
    placed = [str(text) for text in drawn_once([_joined(text) for text in placed], label)]
    document = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        f' width="{whole[0]:g}pt" height="{whole[1]:g}pt" viewBox="0 0 {whole[0]:g} {whole[1]:g}"'
        f' role="img" font-family="DejaVu Sans, sans-serif"><title>{escape(label)}</title>'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>{"".join(placed)}</svg>\n'
    )
    text, rules = shared_styles(document.replace('<use href="', '<use xlink:href="'))
    return text.replace("</title>", f"</title><style>{rules}</style>", 1)


def shared_styles(text: str) -> tuple[str, str]:
    """Replace the styles that stand several times in a text by classes; return it and their rules.

    Only pictures have styles of their own, so that a whole page can be treated at once.
    """
    counts = Counter(style for _, style in _STYLE.findall(text))
    names = {style: f"z{i}" for i, style in enumerate(s for s, n in counts.items() if n > 2)}
    text = _STYLE.sub(
        lambda m: f'{m[1]} class="{names[m[2]]}"' if m[2] in names else m.group(), text
    )
    return text, "".join(f".{name}{{{style}}}" for style, name in names.items())


def _small(svg: str, prefix: str) -> str:
    """Drop from a document what nobody sees, and give the names that are used a prefix."""
    text = _slim(svg)
    names = {name: f"{prefix}{i}" for i, name in enumerate(_referenced(text))}
    text = _ID.sub(lambda m: f' id="{names[m.group(1)]}"' if m.group(1) in names else "", text)
    text = _REFERENCE.sub(lambda m: m.group(1) + names[m.group(2)], text)
    return _without_empty_groups(re.sub(r">\s+<", "><", text).replace("<g/>", "").strip())


@lru_cache(maxsize=128)  # of each panel, once for its file and once for the page
def _slim(svg: str) -> str:
    text = _METADATA.sub("", _HEAD.sub("", svg))
    text = _SIZE_UNIT.sub(r'\1"', text)
    text = _GEOMETRY.sub(lambda m: _LONG_TAIL.sub("", _on_one_line(m.group())), text)
    text = _FONT.sub(lambda m: f"{m.group(1)}{m.group(2)} sans-serif" if m.group(2) else "", text)
    return _NO_TURN.sub("", text)


def _on_one_line(attribute: str) -> str:
    return " " + " ".join(attribute.split()).replace(' "', '"')


def _referenced(text: str) -> list[str]:
    return list(dict.fromkeys(match.group(2) for match in _REFERENCE.finditer(text)))


def _without_empty_groups(text: str) -> str:
    """Drop the tags of groups that say nothing about what is in them."""
    kept: list[bool] = []

    def tag(match: re.Match[str]) -> str:
        if match.group() == "</g>":
            return "</g>" if kept.pop() else ""
        kept.append(match.group() != "<g>")
        return match.group() if kept[-1] else ""

    return _GROUP.sub(tag, text)
