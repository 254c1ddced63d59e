"""What the scoreboard shows of one study: plain data, that can be kept and read again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from markupsafe import Markup

from harness.formatting import seconds
from harness.integrity import Check
from harness.judged import Verdict
from harness.report import verdicts as words
from harness.report.effect_drawing import alike_strips
from harness.report.panels.cost import of_claim
from harness.report.publication import verdicts_of
from harness.report.render import drawn_panels
from harness.report.settings import day
from harness.report.sources import Sources, known_sources, work_of
from harness.report.view import ProfileResult, ProfileView, views_of


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
