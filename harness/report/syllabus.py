"""The syllabus: the sources chapter by chapter, and in each the studies that put it to the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.formatting import seconds
from harness.report.scoreboard import Board, natural
from harness.report.study_board import ClaimLine, StudyBoard


@dataclass(frozen=True)
class Experiment:
    """A study within a chapter, with those of its claims that come from there.

    `pictured` says whether its picture stands here, which it does once in a work.
    """

    study: StudyBoard
    lines: Sequence[ClaimLine]
    pictured: bool

    @property
    def command(self) -> str:
        """How to run it, in the profile that took least."""
        return f"harness run studies/{self.study.name}.yaml --profile {self.study.shortest[0]}"

    @property
    def takes(self) -> str:
        """The training time of that profile."""
        return seconds(self.study.shortest[1])


@dataclass(frozen=True)
class Lesson:
    """A chapter: its name spelt out, what its places say, and its experiments."""

    name: str
    says: Sequence[str]
    experiments: Sequence[Experiment]


def lessons_by_work(board: Board) -> list[tuple[str, list[Lesson]]]:
    """Return the lessons of each work under its title, in the order of the chapters.

    Of sources that nobody describes there are no lessons: a claim of theirs is on the scoreboard.
    """
    known = board.known
    made = []
    for work, title, chapters in board.by_work:
        pictured: set[str] = set()
        lessons = []
        for chapter, spelt, _ in chapters if work else ():
            found = []
            for study in board.studies:
                lines = [
                    line for line in study.lines if chapter in map(known.chapter, line.claim.source)
                ]
                if lines:
                    found.append(Experiment(study, lines, study.name not in pictured))
                    pictured.add(study.name)
            places = {source for e in found for line in e.lines for source in line.claim.source}
            says = [
                known.says[source]
                for source in sorted(places, key=natural)
                if known.chapter(source) == chapter and source in known.says
            ]
            lessons.append(Lesson(spelt, says, found))
        if lessons:
            made.append((title, lessons))
    return made
