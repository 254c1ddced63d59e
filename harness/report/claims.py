"""The page of one claim: its answer in every profile, seed by seed, and the trials behind it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from markupsafe import Markup

from harness.evidence import Evidence
from harness.figures import Picture
from harness.figures._labels import axis_label
from harness.figures._layout import MOST_SERIES, Group, Layout, Member
from harness.figures.learning_curves import learning_curves
from harness.figures.search import searches
from harness.formatting import as_file_name, number
from harness.judge import MissingEvidence, numbers_per_seed
from harness.judge.measures import involved_arms
from harness.report.answer_card import AnswerCard
from harness.report.answers import Answer
from harness.report.figure_data import csv_text, data_files, json_text
from harness.report.seed_drawing import Pairs, dots, pairs_of
from harness.report.svg import svg_file
from harness.report.verdicts import tests
from harness.report.view import ProfileView
from harness.study.claims import Test

FOLDER = "claims"
_MOST_ARMS = 2 * MOST_SERIES
"""Arms whose curves the page of a claim shows; more stand in the report."""


@dataclass(frozen=True)
class TrialLine:
    """One trial behind a claim: its arm, its seed, its value, and where it stands."""

    arm: str
    seed: int
    trial: str
    value: float
    address: str

    @property
    def shown(self) -> str:
        """The value as a page shows it."""
        return number(self.value, 4)


@dataclass(frozen=True)
class Tested:
    """One test of a claim: what it measures, what each seed gave, and its trials."""

    measures: str
    metric: str
    unit: str
    numbers: Sequence[float]
    trials: Sequence[TrialLine]
    drawing: Markup
    pairs: Pairs | None = None
    pictures: Sequence[Picture] = ()
    """Learning curves and search of the arms concerned alone."""

    @property
    def shown(self) -> list[str]:
        """The number of each seed or block, as a page shows it."""
        return [number(value, 4) for value in self.numbers]


@dataclass(frozen=True)
class ClaimInProfile:
    """What one profile says of a claim."""

    view: ProfileView
    answer: Answer
    tests: Sequence[Tested]


def claim_pages(views: Sequence[ProfileView]) -> dict[str, list[ClaimInProfile]]:
    """Return what each profile says of each claim, by the stem of the claim's page."""
    found: dict[str, list[ClaimInProfile]] = {}
    for view in views:
        for answer in view.answers:
            title = f"the page of the claim {answer.row.id}"
            line = ClaimInProfile(view, answer, view.part(title, _tests, view, answer) or [])
            found.setdefault(as_file_name(answer.row.id), []).append(line)
    return found


def claim_files(stem: str, found: Sequence[ClaimInProfile]) -> Iterator[tuple[str, bytes]]:
    """Yield the files beside the page of a claim, by name.

    The trials behind it as CSV and JSON (profile, measure, arm, seed, trial, value), its card as a
    PNG of 1200 by 630 pixels and as Markdown, and the numbers of the figures that the page shows.
    """
    first = found[0].answer.row
    rows = [
        {"profile": one.view.name, "measures": test.measures, "metric": test.metric,
         "arm": t.arm, "seed": t.seed, "trial": t.trial, "value": t.value}
        for one in found
        for test in one.tests
        for t in test.trials
    ]  # fmt: skip
    about = {"study": first.study, "claim": first.id, "says": first.says,
             "verdicts": {one.view.name: one.answer.row.to_dict() for one in found}}  # fmt: skip
    yield f"{stem}.csv", csv_text(rows).encode()
    yield f"{stem}.json", json_text(rows, about).encode()
    card = card_of(found[0])
    png = found[0].view.part(f"the card of the claim {stem}", card.png)
    if png:
        yield f"{stem}.png", png
    yield f"{stem}.md", card.markdown(f"{stem}.png" if png else "").encode()
    for one in found:
        for picture in (p for test in one.tests for p in test.pictures):
            yield from data_files(picture.name, picture)
            svg = svg_file(picture.svgs(), picture.columns, picture.alt)
            yield f"{picture.name}.svg", svg.encode()


def card_of(one: ClaimInProfile) -> AnswerCard:
    """Return the card of a claim in a profile."""
    return AnswerCard(one.answer, one.view.evidence.plan.study.question)


def _tests(view: ProfileView, answer: Answer) -> list[Tested]:
    evidence, row = view.evidence, answer.row
    claim = next(one for one in evidence.plan.study.claims if one.id == row.id)
    parts = tests(row)
    made: list[Tested] = []
    drawn: set[tuple[str, tuple[str, ...]]] = set()
    for place, (test, part) in enumerate(zip(claim.tests, parts, strict=True), 1):
        seeds = row.seeds or evidence.plan.study.first_seeds
        try:
            found = numbers_per_seed(test, evidence, seeds)
            numbers = [test.measure.shown(float(value)) for value in found]
        except MissingEvidence:
            numbers = []
        unit = part.unit
        trials = list(_trials(view, test, seeds))
        arms = tuple(arm.name for arm in involved_arms(test, evidence.plan))
        twin = f"validation.{test.metric.partition('.')[2]}"
        metric = twin if twin in evidence.curves else evidence.validation_metric
        pictures: list[Picture] = []
        if (metric, arms) not in drawn and len(arms) <= _MOST_ARMS:
            drawn.add((metric, arms))
            pictures = _pictures(view, metric, arms, f"{row.id}-{place}")
        made.append(
            Tested(
                part.measures, axis_label(evidence.plan.metric(test.metric)), unit, numbers,
                trials, dots(numbers, part.claimed), pairs_of(test, evidence, seeds), pictures,
            )
        )  # fmt: skip
    return made


def _pictures(view: ProfileView, metric: str, arms: Sequence[str], name: str) -> list[Picture]:
    """Draw the learning curves and the search of some arms."""
    evidence = view.evidence
    chunks = [arms[start : start + MOST_SERIES] for start in range(0, len(arms), MOST_SERIES)]
    groups = [
        Group("", tuple(Member(arm, arm, style) for style, arm in enumerate(chunk)))
        for chunk in chunks
    ]
    layout = Layout(tuple(groups))
    curves = view.part("the learning curves of a claim", learning_curves, evidence, metric, layout)
    found = view.part("the search of a claim", searches, evidence, metric, layout) or []
    named = [
        replace(picture, name=as_file_name(f"{name}-{view.name}-{picture.name}"), flow="grid")
        for picture in (curves, *found)
        if picture is not None
    ]
    return [picture for picture in named if view.encoded(picture, picture.svgs) is not None]


def _trials(view: ProfileView, test: Test, seeds: int) -> Iterator[TrialLine]:
    evidence: Evidence = view.evidence
    rows, _ = evidence.sample(test.metric, seeds)
    for arm in involved_arms(test, evidence.plan):
        mine = rows[rows["arm"] == arm.name]
        values = mine[test.metric] if test.metric in mine else np.full(len(mine), math.nan)
        for trial, seed, value in zip(mine["trial_id"], mine["seed"], values, strict=True):
            address = view.trials.addresses.get(trial, "")
            page = f"../{view.page if address.startswith('#') else ''}{address}" if address else ""
            yield TrialLine(arm.name, int(seed), str(trial), float(value), page)
