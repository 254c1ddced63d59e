"""Write the report of one study: a page, the same as Markdown, and its figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.report.files import write
from harness.report.render import markdown, page
from harness.report.view import ProfileResult, views_of


def build_page(results: Sequence[ProfileResult], folder: Path) -> Path:
    """Write the report of a study, which shows one or several profiles.

    The same results give the same bytes, on any day and in any order. The profile with
    most examples comes first.

    Args:
        results: the newest execution of each profile of one study, judged; at least one.
        folder: gets `index.html` (which needs no other file), `report.md` and
            `figures/<profile>/*.png`.

    Returns:
        The folder.

    Raises:
        ValueError: without results, or with those of several studies.
    """
    studies = {result.evidence.execution.study for result in results}
    if len(studies) != 1:
        raise ValueError(f"a report is about one study, got {len(studies)}")
    views = views_of(results)
    folder.mkdir(parents=True, exist_ok=True)
    for view in views:
        figures = folder / "figures" / view.name
        figures.mkdir(parents=True, exist_ok=True)
        for name, picture in view.pictures.items():
            write(figures / f"{name}.png", picture.png())
        kept = {f"{name}.png" for name in view.pictures}
        for stale in figures.glob("*.png"):
            if stale.name not in kept:
                stale.unlink()
    write(folder / "report.md", markdown(views).encode())
    write(folder / "index.html", page(views).encode())
    return folder
