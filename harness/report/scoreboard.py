"""The scoreboard: every claim of every study with its verdicts, on one page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from markupsafe import Markup

from harness.formatting import plural, seconds
from harness.integrity import Check
from harness.judged import Verdict
from harness.publish import FOLDER
from harness.report import verdicts as words
from harness.report.build import write
from harness.report.effect_drawing import alike_strips
from harness.report.panels.cost import of_claim
from harness.report.publication import NAME as VERDICTS
from harness.report.publication import Changes, changes_since, keep_verdicts
from harness.report.render import scoreboard_markdown, scoreboard_page, syllabus_markdown
from harness.report.settings import day
from harness.report.sources import Sources, known_sources
from harness.report.view import ProfileResult, views_of

_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class ClaimLine:
    """One claim: for each profile, the one with most examples first, its verdict, drawn, and cost.

    The cost is the training time of the trials behind the verdict, and their energy if it is known.
    """

    results: Sequence[tuple[Verdict, Markup, tuple[str, str], str]]
    known: Sources = field(default_factory=Sources)

    @property
    def claim(self) -> Verdict:
        """The verdict of the first profile, for what all of them say alike."""
        return self.results[0][0]

    @property
    def measured(self) -> str:
        """What was measured, if that is the same in every profile; else empty."""
        found = {words.measured(verdict.measures) for verdict, *_ in self.results}
        return found.pop() if len(found) == 1 else ""

    @property
    def marks(self) -> list[str]:
        """What a filter by source may ask for: each source, and the work that it is a part of."""
        sources = self.claim.source
        return sorted({*sources, *map(work_of, sources), *map(self.known.chapter, sources)})

    @property
    def sources(self) -> list[tuple[str, str]]:
        """Each source spelt out, and what it says there if that is known."""
        return [(self.known.spelt(s), self.known.says.get(s, "")) for s in self.claim.source]


@dataclass(frozen=True)
class ProfileLine:
    """One profile of a study: its counts, its cost, where its records come from."""

    study: str
    profile: str
    counts: Mapping[str, int]
    cost: str
    origin: str
    finished: str
    integrity: str
    link: str


class StudyBoard:
    """The claims of one study."""

    def __init__(
        self, results: Sequence[ProfileResult], known: Sources, *, published: bool = False
    ):
        self._known = known
        self.views = views_of(results, published_only=published)
        self.name = results[0].study
        self.leader = self.views[0]  # has most examples, and sums the study up
        self.question = self.leader.evidence.plan.study.question

    @cached_property
    def lines(self) -> list[ClaimLine]:
        """The claims, in the order of the study file."""
        ids = dict.fromkeys(id_ for view in self.views for id_ in view.by_claim)
        return [self._line(id_) for id_ in ids]

    @cached_property
    def profiles(self) -> list[ProfileLine]:
        """The profiles with their counts."""
        return [
            ProfileLine(
                self.name,
                view.name,
                Counter(verdict.verdict for verdict in view.result.verdicts),
                seconds(view.training_seconds),
                _origin(view.result),
                day(view.evidence.execution.ended),
                _integrity(view.result.checks),
                f"{self.name}/{view.page}#{view.name}",
            )
            for view in self.views
        ]

    @property
    def leading(self) -> list[Verdict]:
        """One verdict a claim: by the profile with most examples."""
        return [line.claim for line in self.lines]

    def _line(self, id_: str) -> ClaimLine:
        views = [view for view in self.views if id_ in view.by_claim]
        verdicts = [view.by_claim[id_] for view in views]
        costs = [of_claim(view.evidence, view.by_claim[id_].trials) for view in views]
        pages = [view.page for view in views]
        lines = list(zip(verdicts, alike_strips(verdicts), costs, pages, strict=True))
        return ClaimLine(lines, self._known)


def _origin(result: ProfileResult) -> str:
    """Say where the records of a profile come from."""
    made = "imported" if result.imported else "run here"
    return "published" if result.provenance.published else made


def _integrity(checks: Sequence[Check]) -> str:
    """Say how many checks noted something."""
    noted = sum(check.outcome == "noted" for check in checks)
    return f"{noted} noted" if noted else "nothing noted" if checks else "not checked"


@dataclass(frozen=True)
class Board:
    """Everything that the scoreboard shows; `left_out` says what it cannot show, and why."""

    studies: Sequence[StudyBoard]
    left_out: Sequence[str] = ()
    published: bool = False
    known: Sources = field(default_factory=Sources)
    changes: Changes | None = None

    @property
    def claims(self) -> int:
        """How many claims there are."""
        return sum(len(study.lines) for study in self.studies)

    @property
    def headline(self) -> str:
        """The counts in a sentence, one verdict a claim."""
        return words.headline([v for study in self.studies for v in study.leading])

    @property
    def size(self) -> str:
        """How much there is, in words."""
        return f"{plural(self.claims, 'claim')} of {plural(len(self.studies), 'study', 'studies')}"

    @property
    def profiles(self) -> list[str]:
        """The names of all profiles."""
        return sorted({line.profile for study in self.studies for line in study.profiles})

    @property
    def totals(self) -> dict[str, Counter[str]]:
        """The counts of each profile over all studies."""
        found: dict[str, Counter[str]] = {name: Counter() for name in self.profiles}
        for line in (line for study in self.studies for line in study.profiles):
            found[line.profile].update(line.counts)
        return found

    @property
    def chapters(self) -> list[tuple[str, str, dict[str, list[tuple[str, Verdict]]]]]:
        """The map: by chapter of a source, its name and title, and its claims by verdict.

        A claim is (study, verdict), and stands at each of its sources.
        """
        found: dict[str, dict[str, list[tuple[str, Verdict]]]] = {}
        for study in self.studies:
            for line in study.lines:
                claim = line.claim
                for chapter in dict.fromkeys(map(self.known.chapter, claim.source)):
                    by_verdict = found.setdefault(chapter, {word: [] for word in words.ORDER})
                    by_verdict[claim.verdict].append((study.name, claim))
        titles = {key: about.get("title", "") for key, about in self.known.works.items()}
        ordered = sorted(found, key=lambda c: (work_of(c) not in titles, natural(c)))
        return [(c, titles.get(work_of(c), ""), found[c]) for c in ordered]

    @property
    def by_work(self) -> list[tuple[str, str, list[tuple[str, str, Any]]]]:
        """The map by work: its key, its title, and its chapters; other works together."""
        works: dict[str, list[tuple[str, str, Any]]] = {}
        for chapter, title, claims in self.chapters:
            key = work_of(chapter) if title else ""
            works.setdefault(key, []).append((chapter, self.known.spelt(chapter), claims))
        titles = {key: about["title"] for key, about in self.known.works.items() if key in works}
        return [(key, titles.get(key, "Other sources"), rows) for key, rows in works.items()]

    def verdicts_of(self, rows: Sequence[tuple[str, str, Any]]) -> list[str]:
        """Return the verdicts that any claim of some chapters has, in their order."""
        return [word for word in words.ORDER if any(claims[word] for *_, claims in rows)]

    @property
    def sources(self) -> dict[str, list[str]]:
        """The sources by the work that they are a part of, in the order of their numbers."""
        works: dict[str, set[str]] = {}
        for study in self.studies:
            for line in study.lines:
                for source in line.claim.source:
                    works.setdefault(work_of(source), set()).add(source)
        return {
            work: sorted(
                (works[work] | {self.known.chapter(s) for s in works[work]}) - {work}, key=natural
            )
            for work in sorted(works, key=natural)
        }


def build_scoreboard(
    results: Sequence[ProfileResult],
    folder: Path,
    lacking: Sequence[str] = (),
    *,
    published: bool = False,
) -> Path:
    """Write `index.html` and `index.md` over all studies; the same results give the same bytes.

    Args:
        results: every profile of every study that is at hand, judged.
        folder: the folder of the reports.
        lacking: what could not be judged, in sentences.
        published: whether it is about published pages, which are Markdown only; they get a
            `syllabus.md` as well.

    Returns:
        The page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    last = folder if published else folder / FOLDER
    board = make_board(results, lacking, published=published, last=last)
    write(folder / "index.md", scoreboard_markdown(board).encode())
    if published:
        write(folder / "syllabus.md", syllabus_markdown(board).encode())
        write(folder / VERDICTS, keep_verdicts(results, folder))
        return folder / "index.md"
    write(folder / "index.html", scoreboard_page(board).encode())
    return folder / "index.html"


def make_board(
    results: Sequence[ProfileResult],
    lacking: Sequence[str] = (),
    *,
    published: bool = False,
    last: Path | None = None,
) -> Board:
    """Arrange results by study; a study that cannot be shown is left out.

    `last` is the folder of the last publication, with which the verdicts are compared.
    """
    known = known_sources()
    by_study: dict[str, list[ProfileResult]] = {}
    for result in results:
        by_study.setdefault(result.study, []).append(result)
    title = "its part of the scoreboard"
    made = [
        mine[0].attempt(title, partial(_study_board, mine, known, published), None)
        for _, mine in sorted(by_study.items())
    ]
    left_out = [
        f"{result.study} ({result.profile}): {says}"
        for result in results
        for says in result.left_out.values()
    ]
    shown = [study for study in made if study is not None]
    problems = [*lacking, *sorted(left_out), *([known.problem] if known.problem else [])]
    changes = changes_since(results, last) if last is not None else None
    return Board(shown, problems, published, known, changes)


def _study_board(results: Sequence[ProfileResult], known: Sources, published: bool) -> StudyBoard:
    """Arrange the results of a study, with all that the scoreboard shows of it."""
    study = StudyBoard(results, known, published=published)
    leader = study.leader
    _ = study.lines, study.profiles, leader.glance, leader.headline, leader.best, leader.setting
    return study


def work_of(source: str) -> str:
    """Return the work that a source is a part of: "insights" for "insights 2"."""
    return source.strip().partition(" ")[0]


def natural(text: str) -> list[tuple[int, int | str]]:
    """Order texts as people count: 2 before 10."""
    parts = _DIGITS.split(text)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]
