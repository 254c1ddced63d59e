"""Plans and results as a notebook and a terminal show them; on light and on dark pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from harness.api.board_lines import board_lines
from harness.formatting import level_text, listed_some, plural, with_interval

if TYPE_CHECKING:
    from harness.api.results import Planned, Result
    from harness.judged import Verdict
    from harness.report.answers import Answer

MARKS = {"supported": "#1a7f37", "refuted": "#c0392b", "inconclusive": "#9a6700"}
OTHER = "#8250df"
_STYLE = """\
.harness-result .card { border-left: 4px solid var(--tone); padding: .3em .8em; margin: .5em 0; }
.harness-result .verdict { color: var(--tone); }
.harness-result svg { display: block; width: 20em; max-width: 100%; height: 1.7em; }
.harness-result .claimed { fill: var(--tone); opacity: .22; }
.harness-result .edge { stroke: var(--tone); stroke-width: 1; opacity: .6; }
.harness-result .neutral { stroke: currentColor; stroke-width: 1; opacity: .5; }
.harness-result .interval { stroke: currentColor; stroke-width: 1.8; }
.harness-result :is(.mark, .open) { fill: var(--tone); }
.harness-result .cross { stroke: var(--tone); stroke-width: 2.6; fill: none; }
"""


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
    """Show the answer to each claim as a card; in a line each where the evidence is not at hand."""
    try:
        found = {answer.row.id: answer for answer in result.answers}
    except Exception:  # such as records that were moved since; the verdicts are here
        found = {}
    cards = "".join(_card(verdict, found.get(verdict.id)) for verdict in result.verdicts)
    counts = ", ".join(f"{count} {state}" for state, count in result.counts.items() if count)
    notes = [escape(note) for notes in result.integrity.values() for note in notes]
    return (
        f'<div class="harness-result"><style>{_STYLE}</style>'
        + _title(result.study, result.profile, counts or plural(len(result.verdicts), "claim"))
        + cards
        + "".join(_board(board) for board in result.leaderboards)
        + "".join(f"<p><small>{note}</small></p>" for note in notes)
        + "</div>"
    )


def _board(board: Mapping[str, Any]) -> str:
    """Show a leaderboard, as `Leaderboard.to_dict` gives it."""
    rows = []
    for one in board["standings"]:
        first, last = one["places"]
        middle = one["interquartile_mean"]
        rows.append([
            one["method"], f"{first}" if one["settled"] else f"{first} to {last}",
            with_interval(one["mean_rank"], *one["rank_interval"]),
            f"{100 * one['win_rate']:.0f} %",
            with_interval(middle["estimate"], middle["low"], middle["high"]),
        ])  # fmt: skip
    head = ["method", "place", "mean rank", "wins", "interquartile mean"]
    notes = "".join(f"<br><small>{escape(text)}</small>" for text in board["notes"])
    return (
        f"<p><b>{escape(board['metric'])}</b> ({escape(board['goal'])}):"
        f" {escape(board['headline'])}{notes}</p>" + _table(head, _escaped(rows))
    )


def _card(verdict: Verdict, answer: Answer | None) -> str:
    """Show a claim: verdict, what was claimed, the number in words, drawn, how certain it is."""
    tone = MARKS.get(verdict.verdict, OTHER)
    flag = f"<br><small><b>{escape(verdict.flag)}</b></small>" if verdict.flag else ""
    effect = with_interval(verdict.effect, verdict.ci_low, verdict.ci_high)
    said = answer.sentence if answer else f"{effect}, {plural(verdict.seeds, verdict.unit)}"
    drawn = str(answer.strip) if answer else ""
    small = " · ".join(filter(None, [answer.certainty if answer else "", verdict.scope.words]))
    return (
        f'<div class="card" style="--tone:{tone}"><b class="verdict">{escape(verdict.words)}</b>'
        f" <b>{escape(verdict.says)}</b>{flag}<br>{escape(said)}{drawn}"
        f"<br><small>{escape(small)}</small></div>"
    )


def plan_text(planned: Planned) -> str:
    """Say a plan in ten lines at most."""
    plan, outlook = planned.plan, planned.outlook
    study = plan.study
    factors = [
        f"{name} ({listed_some([level_text(level) for level in factor.levels])})"
        for name, factor in study.factors.items()
    ]
    trials = [f"{phase} {n} ({outlook.done[phase]} done)" for phase, n in outlook.total.items()]
    searched = plan.search_count(plan.baseline)
    design = getattr(study.design, "name", study.design)
    lines = [
        f"{study.study} ({plan.profile}): {study.question}",
        f"arms      {len(plan.all_arms)}: {listed_some(planned.arms)}",
        f"factors   {'; '.join(factors) or 'none'}",
        f"design    {design}; baseline {plan.baseline.name}",
        f"search    {plural(searched, 'trial')} for the baseline" if searched else "search    none",
        f"seeds     {study.first_seeds}" + (f" to {study.most_seeds}" if study.looks[1:] else ""),
        f"claims    {len(study.claims)}: {listed_some([claim.id for claim in study.claims])}",
        f"trials    {', '.join(trials)}",
        f"to run    {plural(planned.to_run, 'trial')}, {_time_of(planned)}",
        f"plan      {plan.hash}",
    ]
    return "\n".join(" ".join(line.split("\n")) for line in lines)


def result_text(result: Result) -> str:
    """Say a result in a line for each claim."""
    lines = [f"{result.study} ({result.profile}): {plural(len(result.verdicts), 'claim')}"]
    for verdict in result.verdicts:
        effect = with_interval(verdict.effect, verdict.ci_low, verdict.ci_high)
        lines.append(
            f"{verdict.words}: {verdict.says} ({effect}, {plural(verdict.seeds, verdict.unit)})"
        )
        lines += [f"  {verdict.flag}"] if verdict.flag else []
    for board in result.leaderboards:
        lines += board_lines(board)
    return "\n".join(lines)


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
