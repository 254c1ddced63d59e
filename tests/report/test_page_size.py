"""A page of a study is small enough to be sent: lines that panels have in common are in it once."""

import re
from pathlib import Path

import numpy as np
import pytest

from harness.figures._lines import Facet, Frame, Line, draw_facets
from harness.figures.base import Picture
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
    assert len(views) == 2
    for place in range(2):
        assert len(page(views, (), place).encode()) < MOST


def test_paths_lose_only_letters_that_say_nothing():
    assert _tight("M 1 2 L 3 4 L -5 6 z M 5 6 L 7 8") == "M1 2 3 4-5 6zM5 6 7 8"
    # after a curve a line is named, or its points would be those of a curve
    assert _tight("M 1 2 C 1 2 3 4 5 6 L 7 8 L 9 1") == "M1 2C1 2 3 4 5 6L7 8 9 1"
