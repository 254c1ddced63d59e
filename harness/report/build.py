"""Write the report of one study: a page, the same as Markdown, and its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path

from harness.report.files import write, write_all
from harness.report.inline import svg_file
from harness.report.render import markdown, page, trial_page
from harness.report.trials import FOLDER as TRIALS
from harness.report.view import ProfileResult, ProfileView, views_of


def build_page(results: Sequence[ProfileResult], folder: Path, lacking: Sequence[str] = ()) -> Path:
    """Write the report of a study, which shows one or several profiles.

    The same results give the same bytes, on any day and in any order. The profile with
    most examples comes first. What cannot be drawn is left out; page and results say so.

    Args:
        results: the newest execution of each profile of one study, judged; at least one.
        folder: gets `index.html` (which needs no other file), `report.md`,
            `figures/<profile>/*` in PNG and SVG, and `trials/*.html` where the trials are too
            many for the page.
        lacking: profiles that could not be judged, in sentences.

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
        view.complete()
        write_all(folder / "figures" / view.name, _figures(view), "*.*")
    write_all(folder / TRIALS, _trial_pages(views), "*.html")
    for name, render in (("report.md", markdown), ("index.html", page)):
        write(folder / name, _rendered(views, lacking, name, render).encode())
    return folder


def _rendered(
    views: Sequence[ProfileView],
    lacking: Sequence[str],
    name: str,
    render: Callable[[Sequence[ProfileView], Sequence[str]], str],
) -> str:
    """Render a page; if that fails, the file holds the verdicts and says why there is no more."""
    first = views[0].result
    text = first.attempt(name, f"the page {name}", lambda: render(views, lacking), "")
    if text:
        return text
    lines = [f"Left out: {first.left_out[name]}.", *lacking]
    lines += [f"{v.study} ({v.profile}), {v.id}: {v.verdict}" for view in views
              for v in view.result.verdicts]  # fmt: skip
    return f"<pre>\n{escape(chr(10).join(lines))}\n</pre>\n"


def _figures(view: ProfileView) -> Iterator[tuple[str, bytes]]:
    pictures = dict(view.pictures)
    if view.glance is not None:
        pictures[view.glance.name] = view.glance
    for name, picture in pictures.items():
        png = view.encoded(picture, picture.png)
        if png is None:
            view.pictures.pop(name, None)
            continue
        yield f"{name}.png", png
        yield f"{name}.svg", svg_file(picture.svgs(), picture.columns, picture.alt).encode()


def _trial_pages(views: Sequence[ProfileView]) -> Iterator[tuple[str, bytes]]:
    for view in views:
        for index in range(len(view.trials.tables) if view.trials.apart else 0):
            yield Path(view.trials.page_name(index)).name, trial_page(view, index).encode()
