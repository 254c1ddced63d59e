"""Everything that the page and the Markdown file say about one profile, ready to be shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

from harness.errors import returned
from harness.evidence import Evidence
from harness.figures import Picture, draw
from harness.formatting import as_file_name, why
from harness.integrity import Check, Provenance, check
from harness.judge.leaderboards import leaderboards
from harness.judged import Verdict
from harness.own.calls import line_of
from harness.plugins import plugins
from harness.ranking.leaderboard import Leaderboard
from harness.registry import FIGURES, PANELS, PROBES
from harness.report import verdicts as words
from harness.report.answers import Answer, answers, told
from harness.report.arm_values import arm_values
from harness.report.blocks import Block, flat
from harness.report.example_values import example_values
from harness.report.settings import origin, setting_in_short, when
from harness.report.trials import TrialList

Lost = Sequence[tuple[str, int, str]]
Made = TypeVar("Made")
GLANCE = "at_a_glance"
"""The figure that the scoreboard shows of a study."""


def _whose(error: Exception) -> str:
    """Say which probe an error is of, and the line of a package's own code that raised it."""
    kinds = [kind.plugged for kind in (PROBES, PANELS, FIGURES) if kind.plugged is not None]
    others = [one.function for kind in kinds for found in plugins(kind).values() for one in found]
    said = [*getattr(error, "__notes__", []), line_of(error, others) if others else ""]
    return "".join(f"{part}: " for part in said if part)


@dataclass(frozen=True)
class ProfileResult:
    """What a report is made of for one profile: its newest execution, judged.

    `lost` holds (trial_id, attempt, cause) of attempts that ended without a record; `provenance`
    says whether the records were published, and what the study file says today.
    """

    evidence: Evidence
    verdicts: Sequence[Verdict]
    lost: Lost = ()
    provenance: Provenance = field(default_factory=Provenance)
    left_out: dict[str, str] = field(default_factory=dict, init=False, compare=False, repr=False)
    """The parts of its report that could not be drawn: by what they are, that, and why."""

    def attempt(self, title: str, make: Callable[[], Made], absent: Made) -> Made:
        """Make a part of the report; one that fails is left out, and costs no verdict."""
        try:
            return make()
        except Exception as error:  # whatever it is, the verdicts stand
            self.left_out[title] = f"{title} could not be drawn ({_whose(error)}{why(error)})"
            return absent

    @property
    def study(self) -> str:
        """The name of the study."""
        return self.evidence.execution.study

    @property
    def profile(self) -> str:
        """The name of the profile."""
        return self.evidence.execution.profile

    @property
    def imported(self) -> bool:
        """Whether other code trained its runs, which were logged in MLflow."""
        return bool(self.evidence.execution.context.get("imported"))

    @cached_property
    def leaderboards(self) -> list[Leaderboard]:
        """The leaderboards of a benchmark; none of any other design."""
        return self.attempt("the leaderboards", lambda: leaderboards(self.evidence), [])

    @cached_property
    def checks(self) -> list[Check]:
        """What was looked for that could weaken the verdicts."""
        given = self.evidence, self.verdicts, self.lost, self.provenance
        return self.attempt("the checks of integrity", lambda: check(*given), [])


@dataclass(frozen=True)
class Section:
    """A section of the report on a profile, as a panel gave it."""

    anchor: str
    title: str
    contents: str
    blocks: Sequence[Block]


class ProfileView:
    """One profile in words, tables and pictures.

    Args:
        result: what is shown.
        published_only: whether of the figures only those are drawn that are published.
    """

    def __init__(self, result: ProfileResult, *, published_only: bool = False):
        self.result = result
        self.evidence = result.evidence
        self.name = result.profile
        self.published_only = published_only
        self.page = "index.html"
        """The page that shows it: that of the study, or one of its own (see `views_of`)."""
        self._drawn: dict[str, list[Picture]] = {}

    def part(self, title: str, make: Callable[..., Made], *arguments: Any) -> Made | None:
        """Make a part of the report, which is left out where it cannot be made."""
        return self.result.attempt(title, lambda: make(*arguments), None)

    # --- the answer -------------------------------------------------------------------------------
    @cached_property
    def setting(self) -> str:
        """Data, epochs, seeds and arms in a line."""
        return self.part("the setting", setting_in_short, self.evidence) or ""

    @cached_property
    def finished(self) -> str:
        """When the execution ended."""
        return self.part("the day of the end", when, self.evidence.execution.ended) or ""

    @cached_property
    def origin(self) -> str:
        """Where the records come from, if they were not made here; else empty."""
        published = self.result.provenance.published
        return self.part("where the records come from", origin, self.evidence, published) or ""

    @cached_property
    def by_claim(self) -> Mapping[str, Verdict]:
        """The verdicts by the id of their claim, in the order of the study file."""
        return {verdict.id: verdict for verdict in self.result.verdicts}

    @property
    def headline(self) -> str:
        """The counts of verdicts in a sentence; of a benchmark without claims, what is settled."""
        boards = self.result.leaderboards
        if boards and not self.result.verdicts:
            return boards[0].headline
        return words.headline(self.result.verdicts)

    @cached_property
    def best(self) -> str:
        """The best arm beside the simple baseline, in a sentence; of a benchmark its headline."""
        if self.result.leaderboards:
            return self.result.leaderboards[0].headline if self.result.verdicts else ""
        return self.part("the best arm", words.best_in_words, self.evidence) or ""

    @cached_property
    def answers(self) -> Sequence[Answer]:
        """The answer to every claim: a sentence, its certainty, and a drawing."""
        return self.part("the answers", answers, self.evidence, self.result.verdicts) or ()

    @property
    def told(self) -> Sequence[Answer]:
        """The answers that sum the study up."""
        return told(self.answers)

    # --- figures ----------------------------------------------------------------------------------
    def drawn(self, figure: str) -> list[Picture]:
        """Return the pictures of a figure, which the page can show; none where drawing fails."""
        if figure not in self._drawn:
            made = self.part(_title(figure), draw, figure, self.evidence, self.result.verdicts)
            self._drawn[figure] = [p for p in made or () if self.encoded(p, p.svgs) is not None]
        return self._drawn[figure]

    def encoded(self, picture: Picture, encode: Callable[[], Made]) -> Made | None:
        """Turn a picture into what a file or a page holds; None where that fails."""
        return self.part(_title(picture.name), encode)

    def drop(self, picture: Picture) -> None:
        """Show a picture no more."""
        for pictures in self._drawn.values():
            pictures[:] = [one for one in pictures if one is not picture]
        vars(self).pop("sections", None)

    @cached_property
    def _figures(self) -> list[tuple[str, str]]:
        """Name each figure, and the panel that it asks for, in the order of the report."""
        found = []
        for name in FIGURES.names():
            figure = self.part(_title(name), FIGURES.find, name)
            if figure is not None and (figure.published or not self.published_only):
                found.append((figure.order, name, figure.section))
        return [(name, section) for _, name, section in sorted(found)]

    @property
    def pictures(self) -> list[Picture]:
        """All pictures, in the order of the report."""
        shown = [p for section in self.sections for p in flat(section.blocks)
                 if isinstance(p, Picture)]  # fmt: skip
        others = [p for name, _ in self._figures for p in self.drawn(name) if p not in shown]
        return shown + others

    def figures(self, panel: str) -> list[Picture]:
        """Return the pictures of the figures that ask for a panel."""
        known = [*PANELS.names(), "scoreboard"]
        return [
            picture
            for name, section in self._figures
            if (section if section in known else "more") == panel
            for picture in self.drawn(name)
        ]

    @property
    def glance(self) -> Picture | None:
        """The study at a glance, for the scoreboard."""
        return next(iter(self.drawn(GLANCE)), None)

    # --- sections ---------------------------------------------------------------------------------
    @cached_property
    def sections(self) -> list[Section]:
        """The sections that the report has, in their order."""
        panels = [self.part(f"the section {name}", PANELS.find, name) for name in PANELS.names()]
        ordered = sorted((p for p in panels if p is not None), key=lambda p: (p.order, p.name))
        made = [
            self.part(f"the section {panel.title}", self._section, panel()) for panel in ordered
        ]
        return [section for section in made if section is not None]

    def _section(self, panel: Any) -> Section | None:
        found = panel.blocks(self)
        if not isinstance(found, Iterable):
            raise TypeError(returned("blocks", panel.name, found, "a tuple of blocks"))
        blocks = [block for block in found if block is not None]
        there = {id(block) for block in flat(blocks)}
        blocks += [p for p in self.figures(panel.name) if id(p) not in there]
        anchor = panel.name.replace("_", "-")
        contents = panel.contents or panel.title
        return Section(anchor, panel.title, contents, blocks) if blocks else None

    @cached_property
    def trials(self) -> TrialList:
        """The confirmation trials."""

        def made() -> TrialList:
            found = TrialList(self.evidence, self.name)
            _ = found.tables, found.addresses
            return found

        nothing = replace(self.evidence, trials=self.evidence.trials.iloc[:0])
        title = "the list of confirmation trials"
        return self.part(title, made) or TrialList(nothing, self.name)

    def complete(self) -> None:
        """Make every part, so that the page can begin with those that are left out."""
        _ = self.setting, self.finished, self.origin, self.best, self.answers, self.sections
        _ = self.pictures, self.result.checks, self.arm_values
        if not self.published_only:
            _ = self.example_values

    @cached_property
    def arm_values(self) -> dict[str, Any]:
        """What the page needs to compare any two arms: the primary metric by arm and seed."""
        return self.part("the comparison of two arms", arm_values, self.evidence) or {}

    @cached_property
    def example_values(self) -> dict[str, Any]:
        """Which test examples each arm gets right, for the same comparison."""
        title = "the test examples of any two arms"
        return self.part(title, example_values, self.evidence) or {}

    @cached_property
    def training_seconds(self) -> float:
        """The training time of all its trials; each distinct trial counts once."""
        rows = self.evidence.trials.drop_duplicates("trial_id")
        return float(rows["cost.seconds"].sum()) if "cost.seconds" in rows else math.nan

    @cached_property
    def weight(self) -> tuple[float, float]:
        """What orders the profiles: examples in an epoch of the largest arm (about), then steps."""
        return self.part("the order of the profiles", _weight, self.evidence) or (0.0, 0.0)


def _title(figure: str) -> str:
    return f"the picture {figure.replace('_', '-')}"


def _weight(evidence: Evidence) -> tuple[float, float]:
    rows = evidence.confirmation
    rows = rows[rows["cost.steps"] > 0] if "cost.steps" in rows else rows.iloc[:0]
    if rows.empty:
        return 0.0, 0.0
    workloads = {arm.name: arm.workload for arm in evidence.plan.all_arms}
    batch = rows["arm"].map(lambda arm: workloads[arm]["batch_size"])
    epochs = (
        rows["cost.epochs"]
        if "cost.epochs" in rows
        else rows["arm"].map(lambda arm: workloads[arm]["epochs"])
    )
    return float((rows["cost.steps"] / epochs * batch).max()), float(rows["cost.steps"].sum())


def views_of(
    results: Sequence[ProfileResult], *, published_only: bool = False
) -> list[ProfileView]:
    """Return the views of some profiles: most examples first, then most training steps.

    The first is the page of the study, each other one has a page of its own.
    """
    views = [ProfileView(result, published_only=published_only) for result in results]
    views = sorted(sorted(views, key=lambda v: v.name), key=lambda v: v.weight, reverse=True)
    for view in views[1:]:
        view.page = f"profile-{as_file_name(view.name)}.html"
    return views
