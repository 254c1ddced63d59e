"""A page of a study is small enough to be sent: lines that panels have in common are in it once."""

import re
from pathlib import Path

import numpy as np
import pytest

from harness.figures._lines import Facet, Frame, Line, draw_facets, thinned
from harness.figures.base import Picture
from harness.report.page_size import with_pictures_apart
from harness.report.render import page
from harness.report.svg import _tight, drawn_once, inline_svg, svg_file
from harness.report.view import views_of
from harness.run.results import open_any

MOST = 600_000
"""Bytes of the page of a study."""


@pytest.fixture(scope="module")
def picture():
    x = np.arange(60.0)
    facets = [
        Facet(
            f"panel {n}", [Line(f"line {n}", 0, x, np.sin(x / 9 + 7.3 * n + k)) for k in range(4)]
        )
        for n in range(5)
    ]
    return Picture("p", "t", "c.", "a", draw_facets(facets, Frame("x", "y")))


def test_the_grey_lines_of_all_panels_are_in_a_page_once(picture):
    panels = [inline_svg(svg, f"x{i}-", "") for i, svg in enumerate(picture.svgs())]
    once = drawn_once(panels, "x")
    assert sum(map(len, once)) < 0.65 * sum(map(len, panels))
    names = set(re.findall(r'<use href="#(o[^"]*)"', "".join(once)))
    assert names
    for name in names:
        assert once[0].count(f'<path id="{name}" ') == 1
        assert all(panel.count(f'href="#{name}"') == 1 for panel in once[1:])


def test_a_file_refers_to_them_in_a_way_that_older_programs_know(picture):
    text = svg_file(picture.svgs(), 2, "a")
    uses = text.count('<use xlink:href="#o')
    assert uses > 0
    assert uses % 4 == 0  # in all panels but the first
    assert '<use href="#o' not in text


@pytest.mark.slow
def test_the_largest_published_study_keeps_within_the_budget():
    views = views_of(
        open_any(Path(__file__).parents[2] / "results" / "published").judged({"optimizers"})
    )
    assert [view.name for view in views] == ["full", "quick"]
    assert len(page(views, (), 1).encode()) < MOST  # the larger one: its lines have more points


def test_paths_lose_only_letters_that_say_nothing():
    assert _tight("M 1 2 L 3 4 L -5 6 z M 5 6 L 7 8") == "M1 2 3 4-5 6zM5 6 7 8"
    # after a curve a line is named, or its points would be those of a curve
    assert _tight("M 1 2 C 1 2 3 4 5 6 L 7 8 L 9 1") == "M1 2C1 2 3 4 5 6L7 8 9 1"


def figure(name, size):
    return (
        f'<figure class="grid">\n<div class="panels"><svg role="img" aria-label="{name}">'
        f"{'m' * size}</svg></div>\n<figcaption>{name}."
        f' <a href="figures/quick/{name}.svg">SVG</a></figcaption>\n</figure>\n'
    )


def test_the_largest_pictures_of_a_page_that_would_be_too_large_are_files_beside_it():
    text = figure("small", 100) + figure("large", 5_000) + figure("larger", 9_000)
    assert with_pictures_apart(text, 20_000, str) == text
    found = with_pictures_apart(text, 7_000, str)
    assert len(found.encode()) <= 7_000
    assert '<img src="figures/quick/larger.svg" loading="lazy" alt="larger">' in found
    assert "figures/quick/small.svg" in found
    assert found.count("<img ") == 1
    assert found.count("<figcaption>") == 3
    assert with_pictures_apart(text, 1_500, str).count("<img ") == 2


def test_a_long_line_is_drawn_by_few_points_and_keeps_its_peaks():
    x = np.arange(5_000.0)
    y = np.sin(x / 700)
    y[1_234], y[4_000], y[10:90] = 9.0, -9.0, np.nan
    few = thinned(Line("a", 0, x, y, y - 1, y + 1, marked=77))
    assert len(few.x) <= 250
    assert (np.nanmax(few.y), np.nanmin(few.y)) == (9.0, -9.0)
    assert (few.x[0], few.x[-1], few.x[few.marked]) == (0, 4_999, 77)
    np.testing.assert_array_equal(few.low, few.y - 1)
    assert np.isnan(few.y).any()  # the gap stays
    short = Line("a", 0, x[:100], y[:100])
    assert thinned(short) is short


def test_of_many_dots_an_even_choice_by_height_is_drawn_with_the_winner():
    rng = np.random.default_rng(0)
    x, y = rng.random(5_000), rng.random(5_000)
    few = thinned(Line("a", 0, x, y, marked=333, joined=False))
    assert len(few.x) <= 121
    assert (few.y.max(), few.y.min()) == (y.max(), y.min())
    assert few.y[few.marked] == y[333]
    assert abs(np.median(few.y) - np.median(y)) < 0.02


def test_grey_dots_are_one_path_that_panels_share():
    rng = np.random.default_rng(0)
    facets = [
        Facet(f"p {n}", [Line(f"l {n}", 0, rng.random(30), rng.random(30), joined=False)])
        for n in range(4)
    ]
    drawn = Picture("p", "t", "c.", "a", draw_facets(facets, Frame("x", "y")))
    panels = [inline_svg(svg, f"x{i}-", "") for i, svg in enumerate(drawn.svgs())]
    once = drawn_once(panels, "x")
    assert all(re.search(r'<use href="#o', panel) for panel in once[1:])
    assert sum(map(len, once)) < 0.8 * sum(map(len, panels))
