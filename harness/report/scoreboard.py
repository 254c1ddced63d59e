"""The scoreboard: every claim of every study with its verdicts, on one page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.formatting import plural
from harness.judged import Verdict
from harness.publish import FOLDER
from harness.report import verdicts as words
from harness.report.build import write
from harness.report.publication import NAME as VERDICTS
from harness.report.publication import Changes, changes_since, keep_verdicts
from harness.report.render import (
    scoreboard_markdown,
    scoreboard_page,
    syllabus_markdown,
)
from harness.report.sources import Sources, known_sources, work_of
from harness.report.study_board import StudyBoard

_MOST_OPEN = 4  # studies whose claims and pictures stand open on the page
_DIGITS = re.compile(r"(\d+)")


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


def natural(text: str) -> list[tuple[int, int | str]]:
    """Order texts as people count: 2 before 10."""
    parts = _DIGITS.split(text)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]
