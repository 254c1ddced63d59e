"""Verdicts as a table in the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.formatting import p_text, with_interval
from harness.judged import Verdict

if TYPE_CHECKING:
    from harness.report import ProfileResult

STYLES = {
    "supported": "green",
    "refuted": "red",
    "inconclusive": "yellow",
    "incomplete": "magenta",
}


def print_verdicts(verdicts: Sequence[Verdict], console: Console | None = None) -> None:
    """Print a row per claim: verdict, scale, effect with interval, corrected p, seeds.

    Of an incomplete one, what is missing.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("verdict", max_width=20)
    table.add_column("claim", overflow="fold", min_width=18)
    table.add_column(r"effect \[interval]", justify="right")
    table.add_column("p", justify="right", no_wrap=True, min_width=len("< 0.0001"))
    table.add_column("seeds", justify="right", no_wrap=True, min_width=len("blocks"))
    for verdict in verdicts:
        style = STYLES[verdict.verdict]
        says = f"{verdict.says} ({verdict.flag})" if verdict.flag else verdict.says
        if verdict.verdict == "incomplete":
            says = f"{says}\n[dim]{escape(verdict.reason)}[/dim]"
        if verdict.scope.words:
            says = f"{says}\n[dim]{escape(verdict.scope.words)}[/dim]"
        table.add_row(
            f"[{style}]{verdict.words}[/{style}]",
            says,
            escape(with_interval(verdict.effect, verdict.ci_low, verdict.ci_high)),
            p_text(verdict.p_corrected),
            verdict.counted.replace(" ", "\n"),
        )
    (console or Console()).print(table, highlight=False)


def print_counts(results: Sequence[ProfileResult]) -> None:
    """Print how many claims of each profile got which verdict, as the scoreboard counts them."""
    found: dict[str, Counter[str]] = {}
    for result in results:
        counts = found.setdefault(result.profile, Counter())
        counts.update(verdict.verdict for verdict in result.verdicts)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("profile")
    for heading in ("claims", *STYLES):
        table.add_column(heading, justify="right")
    for profile, counts in sorted(found.items()):
        cells = [str(counts[word]) for word in STYLES]
        table.add_row(profile, str(counts.total()), *cells)
    Console().print(table, highlight=False)
