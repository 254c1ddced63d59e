"""Plans and results as a notebook shows them: small tables that suit light and dark pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from harness.formatting import p_text, with_interval

if TYPE_CHECKING:
    from harness.api.results import Planned, Result
    from harness.judged import Verdict

MARKS = {"supported": "#1a7f37", "refuted": "#c0392b", "inconclusive": "#9a6700"}
OTHER = "#8250df"


def plan_page(planned: Planned) -> str:
    """Show the arms and the trials of a plan."""
    study = planned.plan.study
    factors = list(study.factors)
    arms = [
        [arm.name + (" (baseline)" if arm.is_baseline else "")]
        + [str(arm.levels.get(factor, "–")) for factor in factors]
        for arm in planned.plan.all_arms
    ]
    done = planned.outlook.done
    trials = [[phase, str(n), str(done[phase])] for phase, n in planned.outlook.total.items()]
    return (
        _title(study.study, planned.plan.profile, study.question)
        + _table(["arm", *factors], _escaped(arms))
        + _table(["phase", "trials", "done"], _escaped(trials))
        + f"<p>{planned.to_run} trials to run, {_time_of(planned)}</p>"
    )


def _time_of(planned: Planned) -> str:
    left = planned.seconds
    return "their time is unknown yet" if left is None else f"about {left:.0f} s on one worker"


def result_page(result: Result) -> str:
    """Show the verdicts of a result."""
    rows = [
        [_mark(verdict), escape(verdict.says) + _small(verdict.scope.words),
         with_interval(verdict.effect, verdict.ci_low, verdict.ci_high),
         escape(p_text(verdict.p_corrected)), verdict.counted]
        for verdict in result.verdicts
    ]  # fmt: skip
    counts = ", ".join(f"{count} {state}" for state, count in result.counts.items() if count)
    notes = [escape(note) for notes in result.integrity.values() for note in notes]
    return (
        _title(result.study, result.profile, counts)
        + _table(["verdict", "claim", "effect [interval]", "p", "seeds"], rows)
        + "".join(f"<p><small>{note}</small></p>" for note in notes)
    )


def _title(study: str, profile: str, says: str) -> str:
    return f"<p><b>{escape(study)}</b> ({escape(profile)}): {escape(says)}</p>"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th style="text-align:left">{escape(heading)}</th>' for heading in headings)
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _escaped(rows: Iterable[Iterable[str]]) -> list[list[str]]:
    return [[escape(cell) for cell in row] for row in rows]


def _mark(verdict: Verdict) -> str:
    colour = MARKS.get(verdict.verdict, OTHER)
    return f'<b style="color:{colour}">{escape(verdict.words)}</b>'


def _small(text: str) -> str:
    return f"<br><small>{escape(text)}</small>" if text else ""
