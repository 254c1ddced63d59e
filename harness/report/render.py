"""Views to texts: the page and the Markdown file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.figures import Picture
from harness.formatting import as_file_name
from harness.report.blocks import Form
from harness.report.charts import charts_of, with_charts
from harness.report.page_size import MOST_BYTES, with_pictures_apart
from harness.report.sources import known_sources
from harness.report.svg import drawn_once, inline_svg, shared_styles
from harness.report.verdicts import FILTERS, ORDER
from harness.report.view import ProfileView

if TYPE_CHECKING:
    from harness.live.view import View
    from harness.report.benchmark import BenchmarkView
    from harness.report.card import Card
    from harness.report.claims import ClaimInProfile
    from harness.report.compare import ComparisonView
    from harness.report.method_pages import MethodPage
    from harness.report.scoreboard import Board

_MARKDOWN = re.compile(r"([\\`*_\[\]#!|<>~$&@])")
_PERCENT = re.compile(r"(\d) %")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def page(views: Sequence[ProfileView], lacking: Sequence[str] = (), place: int = 0) -> str:
    """Return the HTML page of a study, which shows the profile at a place among the views.

    `lacking` says which profiles could not be judged.
    """
    view = views[place]
    context = _context(views, lacking) | {"view": view}
    text = _environment(html=True).get_template("page.html").render(context)
    charts = charts_of(view)
    return with_charts(
        with_pictures_apart(text, MOST_BYTES - len(charts.encode()), _finished), view, charts
    )


def markdown(views: Sequence[ProfileView], lacking: Sequence[str] = ()) -> str:
    """Return the same as Markdown, whose figures lie in files beside it."""
    return _environment(html=False).get_template("report.md").render(_context(views, lacking))


def scoreboard_page(board: Board) -> str:
    """Return the HTML page of all studies."""
    return _whole_page("scoreboard.html", _board_context(board))


def scoreboard_markdown(board: Board) -> str:
    """Return the same as Markdown; one of published pages points to nothing else."""
    return _environment(html=False).get_template("scoreboard.md").render(_board_context(board))


def syllabus_markdown(board: Board) -> str:
    """Return the chapters of the sources with the experiments about them, as Markdown."""
    from harness.report.syllabus import lessons_by_work

    template = _environment(html=False).get_template("syllabus.md")
    return template.render(works=lessons_by_work(board))


def card_markdown(card: Card) -> str:
    """Return a model card as Markdown, with what machines read of it in front."""
    return _environment(html=False).get_template("card.md").render(card=card)


def card_page(card: Card, text: str) -> str:
    """Return a model card, given as Markdown, as an HTML page."""
    from markdown_it import MarkdownIt

    shown = text.split("---\n", 2)[2]
    body = Markup(MarkdownIt("commonmark", {"html": False}).enable("table").render(shown))
    return _environment(html=True).get_template("card.html").render(card=card, body=body)


def trial_page(view: ProfileView, number: int) -> str:
    """Return one page of the confirmation trials of a profile that has too many for its report."""
    return _whole_page("trials.html", {"view": view, "number": number})


def method_page(page: MethodPage, view: Any, back: str, source: str) -> str:
    """Return the page of one method of a benchmark, whose leaderboard stands at `back`."""
    context = {"page": page, "view": view, "back": back, "source": source}
    return _whole_page("method_page.html", context)


def claim_page(stem: str, found: Sequence[ClaimInProfile]) -> str:
    """Return the page of one claim; `stem` is that of its files."""
    return _whole_page("claim.html", {
        "stem": stem, "found": found, "view": found[0].view, "known": known_sources(),
    })  # fmt: skip


def live_page(view: View, nonce: str) -> str:
    """Return the page of a run that goes on; `nonce` lets its own style and script be used."""
    return _environment(html=True).get_template("live.html").render(view=view, nonce=nonce)


def comparison_page(view: ComparisonView) -> str:
    """Return the HTML page that compares two sets of results."""
    return _whole_page("comparison.html", {"view": view})


def comparison_markdown(view: ComparisonView) -> str:
    """Return the same as Markdown."""
    return _environment(html=False).get_template("comparison.md").render(view=view)


def benchmark_page(view: BenchmarkView) -> str:
    """Return the HTML page of a leaderboard."""
    return _whole_page("benchmark.html", {"view": view})


def benchmark_markdown(view: BenchmarkView) -> str:
    """Return the same as Markdown."""
    return _environment(html=False).get_template("benchmark.md").render(view=view)


def _whole_page(template: str, context: dict[str, Any]) -> str:
    return _finished(_environment(html=True).get_template(template).render(context))


def _finished(text: str) -> str:
    text, rules = shared_styles(text)
    text = text.replace("</style>", f"{rules}</style>", 1)
    return _PERCENT.sub("\\1\u00a0%", text)  # no line ends between a number and its sign


def _board_context(board: Board) -> dict[str, Any]:
    return {"board": board, "order": ORDER}


def _context(views: Sequence[ProfileView], lacking: Sequence[str]) -> dict[str, Any]:
    study = views[0].evidence.plan.study
    ids = dict.fromkeys(id_ for view in views for id_ in view.by_claim)
    rows = [[view.by_claim.get(id_) for view in views] for id_ in ids]
    claims = [(next(filter(None, found)).says, found) for found in rows]
    return {
        "study": study,
        "views": views,
        "lacking": lacking,
        "claims": claims,
    }


@cache
def _environment(*, html: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(FILTERS)
    environment.filters["panels"] = drawn_panels
    environment.filters["kind"] = lambda block: type(block).__name__
    environment.filters["form"] = partial(_form, html=html)
    environment.filters["file_name"] = as_file_name
    environment.filters["md"] = escape_markdown
    environment.filters["fenced"] = fenced
    environment.filters["clock"] = _clock
    return environment


def _form(form: Form, view: ProfileView, *, html: bool) -> str:
    """Render a template that a panel brings with it."""
    environment = _environment(html=html)
    parts = environment.get_template(f"parts.{'html' if html else 'md'}").module
    template = environment.from_string(form.html if html else form.markdown)
    text = template.render(form.values, view=view, parts=parts)
    return Markup(text) if html else text


def drawn_panels(picture: Picture, profile: str) -> list[Markup]:
    """Return the panels of a picture as parts of the page."""
    prefix = f"{profile}_{picture.name}"  # no profile has an underline
    panels = [  # the first panel carries the description of all; the others are silent
        inline_svg(svg, f"{prefix}-{index}-", "" if index else picture.alt)
        for index, svg in enumerate(picture.svgs())
    ]
    return drawn_once(panels, prefix)


def _clock(moment: float) -> str:
    """Write a moment as a time of day on this machine."""
    return datetime.fromtimestamp(moment).astimezone().strftime("%H:%M:%S %Z")


def fenced(text: str) -> str:
    """Make any text safe inside a block of code: lines stay, and nothing can end the block."""
    lines = [_CONTROL.sub(" ", line) for line in text.split("\n")]
    return "\n".join(lines).replace("```", "``\u200b`")


def escape_markdown(text: object) -> str:
    """Make any text safe within a line or a table cell of Markdown."""
    flat = _CONTROL.sub(" ", str(text))
    return _MARKDOWN.sub(lambda match: f"&#{ord(match.group(1))};" if match.group(1) in "<>&|@`"
                         else "\\" + match.group(1), flat)  # fmt: skip
