"""The page that compares two sets of results."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from harness.comparison import ClaimChange, ProfileComparison, Side, compare_profiles
from harness.figures._labels import axis_label
from harness.formatting import listed, number, p_text, plural, seconds, with_interval
from harness.report.blocks import Cell, Table
from harness.report.build import write
from harness.report.effect_drawing import alike_strips
from harness.report.render import comparison_markdown, comparison_page
from harness.report.verdicts import difference
from harness.report.view import ProfileResult

MOST_METRICS = 100
NAME = "comparison"


class ProfilePair:
    """One profile of one study in both sets, in words and tables."""

    def __init__(self, first: ProfileResult, second: ProfileResult):
        self.comparison: ProfileComparison = compare_profiles(
            *(Side(result.evidence, result.verdicts) for result in (first, second))
        )
        self.name = f"{first.study} ({first.profile})"
        self.id = f"{first.study}.{first.profile}"  # neither name has a dot

    @property
    def pairs(self) -> str:
        """Say how many trials are compared, and how many came out the same."""
        found = self.comparison
        text = f"{plural(found.pairs, 'pair')} of confirmation trials (the same arm and seed)."
        if found.pairs:
            text += f" {found.identical:,} of them have equal results."
        if found.same_trial:
            text += f" {found.same_trial:,} are the same trial: settings, data and code are equal."
        if found.irreproducible:
            text += f" {found.irreproducible:,} of these came out differently all the same."
        for arms, word in ((found.only_first, "first"), (found.only_second, "second")):
            if arms:
                text += f" Only the {word} set has {listed(arms)}."
        return text

    @property
    def lines(self) -> list[tuple[ClaimChange, list[Markup]]]:
        """The claims, those whose verdict differs first, then those whose effect does, drawn."""
        changes = sorted(
            self.comparison.claims, key=lambda change: (not change.changed, not change.beyond_noise)
        )
        return [
            (change, alike_strips([v for v in (change.first, change.second) if v is not None]))
            for change in changes
        ]

    @property
    def settings(self) -> Table | None:
        """What differs in plan and environment."""
        rows = [[Cell(text) for text in row] for row in self.comparison.settings]
        caption = "What differs in plan and environment"
        return Table(caption, ["What", "First", "Second"], rows) if rows else None

    @property
    def metrics_beyond_noise(self) -> str:
        """Say how many metrics differ by more than the seeds explain."""
        found = self.comparison.metrics
        beyond = sum(change.beyond_noise for change in found)
        return (
            f"{beyond:,} of {plural(len(found), 'comparison')} of a metric in an arm"
            f" {'differs' if beyond == 1 else 'differ'} beyond noise."
        )

    @property
    def metrics(self) -> Table | None:
        """The metrics that differ beyond noise, those with the smallest p first."""
        beyond = sorted(
            (change for change in self.comparison.metrics if change.beyond_noise),
            key=lambda change: change.p_corrected,
        )
        rows = [
            [
                Cell(change.arm), Cell(axis_label(change.metric)),
                Cell(number(change.first, 4), True), Cell(number(change.second, 4), True),
                Cell(difference(change.difference), True), Cell(p_text(change.p_corrected), True),
            ]
            for change in beyond[:MOST_METRICS]
        ]  # fmt: skip
        left = len(beyond) - MOST_METRICS
        return (
            Table(
                "Metrics that differ beyond noise",
                ["Arm", "Metric", "First", "Second", "Second − first", "p, corrected"],
                rows,
                "Brackets: 95 % t interval of the paired difference. p: paired t test, corrected"
                " for every metric of every arm of this profile (Holm)."
                + (f" {plural(left, 'more row')} left out." if left > 0 else ""),
            )
            if rows
            else None
        )

    @property
    def costs(self) -> Table | None:
        """Training time by arm."""
        rows = [
            [
                Cell(change.arm), Cell(seconds(change.first), True),
                Cell(seconds(change.second), True),
                Cell(with_interval(change.ratio, change.low, change.high), True),
                Cell(str(change.seeds), True),
            ]
            for change in self.comparison.costs
        ]  # fmt: skip
        return (
            Table(
                "Training time of the confirmation trials that were trained alone, by arm",
                ["Arm", "First", "Second", "Second ÷ first", "Pairs"],
                rows,
                "Ratio: geometric mean over pairs with its 95 % t interval; only of pairs that were"
                " trained alone, because trials that are trained together share their time.",
            )
            if rows
            else None
        )


@dataclass(frozen=True)
class ComparisonView:
    """Two sets of results, their profiles side by side."""

    names: tuple[str, str]
    profiles: Sequence[ProfilePair]
    only: tuple[Sequence[str], Sequence[str]]

    @property
    def headline(self) -> str:
        """The counts in a sentence."""
        claims = [change for view in self.profiles for change in view.comparison.claims]
        changed = sum(change.changed for change in claims)
        beyond = sum(change.beyond_noise for change in claims)
        if not claims:
            return "The two sets have no claim in common."
        verb = "verdict differs" if changed == 1 else "verdicts differ"
        effect = "effect differs" if beyond == 1 else "effects differ"
        return (
            f"Of {plural(len(claims), 'claim')}, {changed or 'no'} {verb},"
            f" and {beyond or 'no'} {effect} beyond noise."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON-able values; what is infinite is None."""
        return {
            "first": self.names[0],
            "second": self.names[1],
            "only_first": list(self.only[0]),
            "only_second": list(self.only[1]),
            "profiles": [_plain(_with_judgements(view.comparison)) for view in self.profiles],
        }


def compare(
    first: Sequence[ProfileResult], second: Sequence[ProfileResult], names: tuple[str, str]
) -> ComparisonView:
    """Put the profiles that both sets have side by side."""
    sides = [{(r.study, r.profile): r for r in results} for results in (first, second)]
    both = sorted(set(sides[0]) & set(sides[1]))
    one, other = (
        [f"{study} ({profile})" for study, profile in sorted(set(side) - set(both))]
        for side in sides
    )
    return ComparisonView(
        names, [ProfilePair(sides[0][k], sides[1][k]) for k in both], (one, other)
    )


def build_comparison(view: ComparisonView, folder: Path) -> Path:
    """Write `comparison.html` and `comparison.md`; the same results give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / f"{NAME}.md", comparison_markdown(view).encode())
    write(folder / f"{NAME}.html", comparison_page(view).encode())
    return folder / f"{NAME}.html"


def _with_judgements(comparison: ProfileComparison) -> dict[str, Any]:
    document = asdict(comparison)
    for name in ("claims", "metrics"):
        for entry, change in zip(document[name], getattr(comparison, name), strict=True):
            entry["beyond_noise"] = change.beyond_noise
    for entry, claim in zip(document["claims"], comparison.claims, strict=True):
        entry["changed"] = claim.changed
        for side in ("first", "second"):
            verdict = getattr(claim, side)
            entry[side] = None if verdict is None else verdict.to_dict()
    return document


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
