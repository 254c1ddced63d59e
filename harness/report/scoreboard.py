"""The scoreboard: every claim of every study with its verdicts, on one page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
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
from harness.report.publication import Changes, changes_since, keep_verdicts, verdicts_of
from harness.report.render import (
    drawn_panels,
    scoreboard_markdown,
    scoreboard_page,
    syllabus_markdown,
)
from harness.report.settings import day
from harness.report.sources import Sources, known_sources
from harness.report.view import ProfileResult, ProfileView, views_of

_MOST_OPEN = 4  # studies whose claims and pictures stand open on the page
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


@dataclass(frozen=True)
class Glance:
    """The picture of a study: its name, what it shows in words, and its panels as drawings."""

    name: str
    alt: str
    panels: Sequence[Markup]


@dataclass(frozen=True)
class Leader:
    """The profile of a study that has most examples, and sums it up."""

    name: str
    headline: str
    best: str
    setting: str
    glance: Glance | None


@dataclass(frozen=True)
class StudyBoard:
    """What the scoreboard shows of one study: texts, numbers and drawings, without its records.

    Attributes:
        name: of the study.
        question: that it asks.
        leader: the profile that sums it up.
        lines: the claims, in the order of the study file.
        profiles: with their counts.
        verdicts: of every claim in every profile, in words, by `study/profile/claim`.
        ended: when the last of its executions did (seconds since 1970).
        shortest: the profile that took least training time, and how much (seconds).
    """

    name: str
    question: str
    leader: Leader
    lines: Sequence[ClaimLine]
    profiles: Sequence[ProfileLine]
    verdicts: Mapping[str, str]
    ended: float | None
    shortest: tuple[str, float]

    @classmethod
    def of(
        cls, results: Sequence[ProfileResult], known: Sources, *, published: bool = False
    ) -> StudyBoard:
        """Arrange the results of a study; `published` leaves out what published pages have not."""
        views = views_of(results, published_only=published)
        first = views[0]
        ids = dict.fromkeys(id_ for view in views for id_ in view.by_claim)
        shortest = min(views, key=lambda view: view.training_seconds)
        ended = [end for r in results if (end := r.evidence.execution.ended) is not None]
        return cls(
            first.result.study,
            first.evidence.plan.study.question,
            Leader(first.name, first.headline, first.best, first.setting, _glance(first)),
            [_line(views, id_, known) for id_ in ids],
            [_profile(view) for view in views],
            verdicts_of(results),
            max(ended, default=None),
            (shortest.name, shortest.training_seconds),
        )

    @property
    def leading(self) -> list[Verdict]:
        """One verdict a claim: by the profile with most examples."""
        return [line.claim for line in self.lines]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON-able values."""
        lines = [
            [[verdict.to_dict(), *rest] for verdict, *rest in line.results] for line in self.lines
        ]
        return asdict(replace(self, lines=[])) | {"lines": lines}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any], known: Sources) -> StudyBoard:
        """Rebuild it from `to_dict`; `known` says what is known of sources today."""
        leader = dict(fields["leader"])
        if glance := leader["glance"]:
            panels = [Markup(panel) for panel in glance["panels"]]
            leader["glance"] = Glance(**glance | {"panels": panels})
        lines = [
            [
                (Verdict.from_dict(verdict), Markup(strip), (cost, energy), page)
                for verdict, strip, (cost, energy), page in line
            ]
            for line in fields["lines"]
        ]
        name, least = fields["shortest"]
        rebuilt = {
            "leader": Leader(**leader),
            "lines": [ClaimLine(row, known) for row in lines],
            "profiles": [ProfileLine(**row) for row in fields["profiles"]],
            "shortest": (name, least),
        }
        return cls(**{**fields, **rebuilt})


def _glance(view: ProfileView) -> Glance | None:
    picture = view.glance
    if picture is None:
        return None
    return Glance(picture.name, picture.alt, drawn_panels(picture, view.result.study))


def _line(all_views: Sequence[ProfileView], id_: str, known: Sources) -> ClaimLine:
    views = [view for view in all_views if id_ in view.by_claim]
    verdicts = [view.by_claim[id_] for view in views]
    costs = [of_claim(view.evidence, view.by_claim[id_].trials) for view in views]
    pages = [view.page for view in views]
    return ClaimLine(list(zip(verdicts, alike_strips(verdicts), costs, pages, strict=True)), known)


def _profile(view: ProfileView) -> ProfileLine:
    study = view.result.study
    counted = Counter(verdict.verdict for verdict in view.result.verdicts)
    return ProfileLine(
        study,
        view.name,
        {word: counted[word] for word in words.ORDER},
        seconds(view.training_seconds),
        _origin(view.result),
        day(view.evidence.execution.ended),
        _integrity(view.result.checks),
        f"{study}/{view.page}#{view.name}",
    )


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
    """Everything that the scoreboard shows.

    `left_out` says what it cannot show, and why; `waiting` names published studies that it does not
    show yet, since nobody has judged their records here.
    """

    studies: Sequence[StudyBoard]
    left_out: Sequence[str] = ()
    published: bool = False
    known: Sources = field(default_factory=Sources)
    changes: Changes | None = None
    waiting: Sequence[str] = ()

    @property
    def claims(self) -> int:
        """How many claims there are."""
        return sum(len(study.lines) for study in self.studies)

    @property
    def verdicts(self) -> dict[str, str]:
        """Every verdict in words, by `study/profile/claim`."""
        return {key: says for study in self.studies for key, says in study.verdicts.items()}

    @property
    def ended(self) -> float | None:
        """When the last execution ended (seconds since 1970)."""
        return max((s.ended for s in self.studies if s.ended is not None), default=None)

    @property
    def headline(self) -> str:
        """The counts in a sentence, one verdict a claim."""
        return words.headline([v for study in self.studies for v in study.leading])

    @property
    def folded(self) -> bool:
        """Whether the claims of a study are shown only when they are asked for."""
        return len(self.studies) > _MOST_OPEN

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
    studies: Sequence[StudyBoard],
    folder: Path,
    lacking: Sequence[str] = (),
    waiting: Sequence[str] = (),
    *,
    published: bool = False,
) -> Path:
    """Write `index.html` and `index.md` over all studies; the same results give the same bytes.

    Args:
        studies: every study that is at hand; see `arranged`.
        folder: the folder of the reports.
        lacking: what could not be judged or drawn, in sentences.
        waiting: the published studies whose records nobody has judged here.
        published: whether it is about published pages, which are Markdown only; they get a
            `syllabus.md` as well.

    Returns:
        The page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    last = folder if published else folder / FOLDER
    board = make_board(studies, lacking, waiting, published=published, last=last)
    write(folder / "index.md", scoreboard_markdown(board).encode())
    if published:
        write(folder / "syllabus.md", syllabus_markdown(board).encode())
        write(folder / VERDICTS, keep_verdicts(board.verdicts, board.ended, folder))
        return folder / "index.md"
    write(folder / "index.html", scoreboard_page(board).encode())
    return folder / "index.html"


def make_board(
    studies: Sequence[StudyBoard],
    lacking: Sequence[str] = (),
    waiting: Sequence[str] = (),
    *,
    published: bool = False,
    last: Path | None = None,
) -> Board:
    """Put the studies on one board, in the order of their names.

    `last` is the folder of the last publication, with which the verdicts are compared.
    """
    known = known_sources()
    problems = [*lacking, *([known.problem] if known.problem else [])]
    shown = sorted(studies, key=lambda study: study.name)
    board = Board(shown, problems, published, known, None, sorted(waiting))
    if last is None:
        return board
    return replace(board, changes=changes_since(board.verdicts, last, set(waiting)))


def arranged(results: Sequence[ProfileResult], *, published: bool = False) -> list[StudyBoard]:
    """Arrange results by study; one that cannot be shown is left out, as its results say then."""
    known = known_sources()
    by_study: dict[str, list[ProfileResult]] = {}
    for result in results:
        by_study.setdefault(result.study, []).append(result)
    title = "its part of the scoreboard"
    made = [
        mine[0].attempt(title, partial(StudyBoard.of, mine, known, published=published), None)
        for _, mine in sorted(by_study.items())
    ]
    return [study for study in made if study is not None]


def work_of(source: str) -> str:
    """Return the work that a source is a part of: "insights" for "insights 2"."""
    return source.strip().partition(" ")[0]


def natural(text: str) -> list[tuple[int, int | str]]:
    """Order texts as people count: 2 before 10."""
    parts = _DIGITS.split(text)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]
