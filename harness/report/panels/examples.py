"""Which test examples only one of two arms gets right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.data import data_of
from harness.evidence import Evidence
from harness.formatting import ABSENT, listed_some
from harness.judge.measures import compared_arms
from harness.measures.base import MissingEvidence
from harness.report.blocks import Block, Cell, Fold, Table, Text
from harness.report.example_values import METRIC, labels_of, outcomes_right
from harness.report.panels.base import Panel
from harness.study import Arm

if TYPE_CHECKING:
    from harness.report.view import ProfileView

MEASURES = ("contrast", "ratio")
MOST_EXAMPLES = 10
"""Listed of each arm of a pair."""


@dataclass(frozen=True)
class Pair:
    """Two sides of a claim, and how often each is right on every test example.

    Attributes:
        words: what is compared, such as "relu − tanh".
        shares: of the trainings of each side that are right, shape (2, examples).
        labels: the class of each example, shape (examples,); None if no record says it.
        names: of the classes, if they have any.
    """

    words: str
    shares: NDArray[np.float64]
    labels: NDArray[np.int64] | None
    names: Sequence[str]

    @property
    def only(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which examples one side alone is right on, on most trainings; the clearest come first."""
        right = self.shares > 0.5
        gap = self.shares[0] - self.shares[1]
        first, second = (np.flatnonzero(right[i] & ~right[1 - i]) for i in (0, 1))
        return (
            first[np.argsort(-gap[first], kind="stable")],
            second[np.argsort(gap[second], kind="stable")],
        )

    def label(self, example: int) -> str:
        """Return what the class of an example is called."""
        if self.labels is None:
            return ABSENT
        place = int(self.labels[example])
        return self.names[place] if place < len(self.names) else str(place)

    def by_class(self, examples: NDArray[np.int64]) -> str:
        """Return of which classes examples are, the commonest first."""
        if self.labels is None or not len(examples):
            return ABSENT
        counts = Counter(self.label(example) for example in examples)
        return listed_some([f"{label} ({count})" for label, count in counts.most_common()], 4)


class Examples(Panel):
    """Which test examples only one of two arms gets right."""

    name = "examples"
    title = "Test examples that only one arm gets right"
    contents = "Test examples"
    order = 55

    def blocks(self, report: ProfileView) -> Sequence[Block | None]:
        """See `Panel`."""
        found = report.part("the test examples", lambda: list(pairs(report.evidence)))
        if not found:
            return ()
        told = report.part("the table of test examples", single, found)
        return (
            Text(
                "An arm gets an example right here if most of its trainings do (all seeds, and all"
                " arms of that side together). The first arm is the one before the sign."
            ),
            report.part("the table of pairs", crossed, found),
            Fold(told.caption, [told]) if told and told.rows else None,
        )


def pairs(evidence: Evidence) -> Iterator[Pair]:
    """Yield the two sides of every claim that compares two, once each, if their examples are known.

    Which arms a claim compares counts, not its metric.
    """
    seen = set()
    for claim in evidence.plan.study.claims:
        for test in claim.tests:
            if test.measure.name not in MEASURES:
                continue
            try:
                arms = compared_arms(test, evidence.plan)
            except MissingEvidence:
                continue
            key = tuple(tuple(arm.name for arm in side) for side in arms.sides)
            if key in seen:
                continue
            seen.add(key)
            pair = _pair(test.measure.words(arms), arms.sides, evidence)
            if pair is not None:
                yield pair


def crossed(found: Sequence[Pair]) -> Table:
    """Return how many examples both sides of each pair get right, one alone, and neither."""
    rows = []
    for pair in found:
        right = pair.shares > 0.5
        first, second = pair.only
        counts = (
            int((right[0] & right[1]).sum()), len(first), len(second),
            int((~right[0] & ~right[1]).sum()),
        )  # fmt: skip
        rows.append(
            [
                Cell(pair.words),
                *(Cell(f"{count:,}", True) for count in counts),
                Cell(pair.by_class(first)),
                Cell(pair.by_class(second)),
            ]
        )
    columns = (
        "Compared", "Both right", "Only the first", "Only the second", "Neither",
        "Only the first, by class (how many)", "Only the second, by class (how many)",
    )  # fmt: skip
    return Table("Test examples by who gets them right", columns, rows, name="examples")


def single(found: Sequence[Pair]) -> Table:
    """Return the examples that set two sides apart most, a few of each."""
    rows = []
    for pair in found:
        for examples in pair.only:
            for example in examples[:MOST_EXAMPLES]:
                shares = (f"{100 * share:.0f} %" for share in pair.shares[:, example])
                rows.append(
                    [
                        Cell(pair.words),
                        Cell(str(example), True),
                        Cell(pair.label(example)),
                        *(Cell(share, True) for share in shares),
                    ]
                )
    columns = ("Compared", "Example", "Class", "First right", "Second right")
    return Table(
        "The examples that set arms apart most",
        columns,
        rows,
        note=f"At most {MOST_EXAMPLES} for each arm of a pair. Examples are counted from 0, in the"
        " order of the test split; a share is of trainings.",
        name="single-examples",
    )


def _pair(words: str, sides: Sequence[Sequence[Arm]], evidence: Evidence) -> Pair | None:
    shares, trials = [], []
    for side in sides:
        mine = [outcomes_right(arm, evidence) for arm in side]
        found = [one for trials_of_arm in mine for one in trials_of_arm or ()]
        if None in mine or len({len(one[METRIC]) for one in found}) != 1:
            return None
        shares.append(np.mean([one[METRIC] for one in found], axis=0))
        trials += found
    if len(shares) != 2 or len(shares[0]) != len(shares[1]):
        return None
    names = data_of(sides[0][0].workload["data"]).class_names
    return Pair(words, np.array(shares), labels_of(trials), names)
