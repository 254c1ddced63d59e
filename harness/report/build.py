"""Write the report of one study: a page, the same as Markdown, and its figures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from html import escape
from pathlib import Path

from harness.integrity import digest_of, sealed
from harness.ranking.leaderboard import Leaderboard
from harness.report.benchmark import METHODS, BenchmarkView
from harness.report.benchmark import NAME as BENCHMARK
from harness.report.claims import FOLDER as CLAIMS
from harness.report.claims import claim_files, claim_pages
from harness.report.figure_data import data_files
from harness.report.method_pages import FOLDER, method_pages
from harness.report.render import (
    benchmark_markdown,
    benchmark_page,
    claim_page,
    markdown,
    method_page,
    page,
    trial_page,
)
from harness.report.svg import svg_file
from harness.report.trials import FOLDER as TRIALS
from harness.report.view import ProfileResult, ProfileView, views_of


def build_page(
    results: Sequence[ProfileResult],
    folder: Path,
    lacking: Sequence[str] = (),
    *,
    published: bool = False,
) -> Path:
    """Write the report of a study, which shows one or several profiles.

    The same results give the same bytes, on any day and in any order. The profile with
    most examples comes first. What cannot be drawn is left out; page and results say so.

    Args:
        results: the newest execution of each profile of one study, judged; at least one.
        folder: gets `index.html` with the first profile, `profile-<name>.html` with each other
            one (none needs another file), `report.md`, `figures/<profile>/*` in PNG and SVG, and
            `claims/<id>.html` for each claim with its data, figures and card, `methods/*.html` for
            each method of a benchmark, and `trials/*.html` where the trials are too many for the
            page.
        lacking: profiles that could not be judged, in sentences.
        published: whether to write the small form that is kept with published records: `report.md`,
            and as SVG the figures that say so.

    Returns:
        The folder.

    Raises:
        ValueError: without results, or with those of several studies.
    """
    studies = {result.evidence.execution.study for result in results}
    if len(studies) != 1:
        raise ValueError(f"a report is about one study, got {len(studies)}")
    views = views_of(results, published_only=published)
    folder.mkdir(parents=True, exist_ok=True)
    for view in views:
        view.complete()
        write_all(folder / "figures" / view.name, _figures(view), "*.*")
    write_all(folder / TRIALS, () if published else _trial_pages(views), "*.html")
    write_all(folder / FOLDER, () if published else _method_pages(views), "*.html")
    write_all(folder / CLAIMS, () if published else _claim_files(views), "*.*")
    write(folder / "report.md", _rendered(views, lacking, "report.md", markdown).encode())
    if not published:
        write_all(folder, _pages(views, lacking), "profile-*.html")
    return folder


def _pages(views: Sequence[ProfileView], lacking: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Make the page of the study and one for each further profile."""
    for place, view in enumerate(views):
        render = partial(page, place=place)
        yield view.page, _rendered(views, lacking, view.page, render).encode()


def _rendered(
    views: Sequence[ProfileView],
    lacking: Sequence[str],
    name: str,
    render: Callable[[Sequence[ProfileView], Sequence[str]], str],
) -> str:
    """Render a page; if that fails, the file holds the verdicts and says why there is no more."""
    first = views[0].result
    title = f"the page {name}"
    text = first.attempt(title, lambda: render(views, lacking), "")
    if text:
        shown = [(view.evidence, view.result.verdicts) for view in views]
        return first.attempt(
            "the digests of the page", lambda: sealed(text, *digest_of(shown)), text
        )
    lines = [f"Left out: {first.left_out[title]}.", *lacking]
    lines += [f"{v.study} ({v.profile}), {v.id}: {v.words}" for view in views
              for v in view.result.verdicts]  # fmt: skip
    return f"<pre>\n{escape(chr(10).join(lines))}\n</pre>\n"


def _figures(view: ProfileView) -> Iterator[tuple[str, bytes]]:
    for picture in view.pictures:
        if not view.published_only:
            png = view.encoded(picture, picture.png)
            if png is None:
                view.drop(picture)
                continue
            yield f"{picture.name}.png", png
        svg = svg_file(picture.svgs(), picture.columns, picture.alt)
        yield f"{picture.name}.svg", svg.encode()
        if not view.published_only:
            yield from data_files(picture.name, picture)


def _claim_files(views: Sequence[ProfileView]) -> Iterator[tuple[str, bytes]]:
    for stem, found in claim_pages(views).items():
        text = views[0].part(f"the page of the claim {stem}", claim_page, stem, found)
        if text:
            yield f"{stem}.html", text.encode()
            yield from claim_files(stem, found)


def _trial_pages(views: Sequence[ProfileView]) -> Iterator[tuple[str, bytes]]:
    for view in views:
        for index in range(len(view.trials.tables) if view.trials.apart else 0):
            yield Path(view.trials.page_name(index)).name, trial_page(view, index).encode()


def build_benchmark(board: Leaderboard, source: str, folder: Path) -> Path:
    """Write `benchmark.html`, `benchmark.md` and the figures; the same scores give the same bytes.

    Args:
        board: judged scores.
        source: what the scores are from, for the reader.
        folder: that gets them, and the pages of the methods.

    Returns:
        The page.
    """
    view = BenchmarkView(board, source)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for picture in view.pictures:
        files.append((f"{picture.name}.png", picture.png()))
        svg = svg_file(picture.svgs(), picture.columns, picture.alt)
        files.append((f"{picture.name}.svg", svg.encode()))
        files += data_files(picture.name, picture)
    write_all(folder / "figures" / BENCHMARK, files, "*.*")
    pages = [(one.file, method_page(one, view, f"../{BENCHMARK}.html", source).encode())
             for one in method_pages([board])]  # fmt: skip
    write_all(folder / METHODS, pages, "*.html")
    write(folder / f"{BENCHMARK}.md", benchmark_markdown(view).encode())
    write(folder / f"{BENCHMARK}.html", benchmark_page(view).encode())
    return folder / f"{BENCHMARK}.html"


def _method_pages(views: Sequence[ProfileView]) -> Iterator[tuple[str, bytes]]:
    """Make the page of each method of a benchmark."""
    for view in views:
        boards = view.result.leaderboards
        made = view.part("the pages of the methods", _pages_of_methods, boards, view)
        yield from made or ()


def _pages_of_methods(boards: Sequence[Leaderboard], view: ProfileView) -> list[tuple[str, bytes]]:
    back = f"../{view.page}#{view.name}-leaderboards"
    return [
        (one.file, method_page(one, view, back, view.result.study).encode())
        for one in method_pages(boards, view.evidence, f"{view.name}-")
    ]


# --- files put in place whole ---------------------------------------------------------------------
def write(file: Path, content: bytes) -> None:
    """Put a whole file in place at once, so that a reader never sees half of it."""
    partial = file.with_name(f".{file.name}.part")
    partial.write_bytes(content)
    os.replace(partial, file)


def write_all(folder: Path, files: Iterable[tuple[str, bytes]], pattern: str) -> None:
    """Write these files to a folder, and remove all others there whose name fits the pattern.

    Without any file the folder itself goes, if nothing else is in it.
    """
    kept = set()
    for name, content in files:
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / name, content)
        kept.add(name)
    for stale in sorted(folder.glob(pattern)):
        if stale.name not in kept:
            stale.unlink()
    if not kept and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
