"""A panel and a figure of a third party: listed, documented and shown, from one file each."""

import re
import sys
import textwrap
from pathlib import Path

import pytest

from harness import plugins
from harness.cli.app import run
from harness.registry import FIGURES, PANELS
from harness.report import ProfileResult, build_page, export

CODE = '''
from harness.figures.base import Figure, Picture
from harness.report.blocks import Cell, Form, Table, Text
from harness.report.panels.base import Panel


class Medians(Panel):
    """Medians of the arms, which single bad seeds do not move."""

    name = "medians"
    title = "Medians"
    order = 35

    def blocks(self, report):
        values = report.evidence.values_by_arm(report.evidence.primary_metric)
        rows = [[Cell(arm), Cell(f"{sorted(found)[len(found) // 2]:.3f}", True)]
                for arm, found in values.items()]
        return (
            Text("Of the <b>confirmation</b> seeds."),
            Table("Medians by arm", ["Arm", "Median"], rows, name="medians"),
            Form("<p id='{{ view.name }}-own'>{{ word }}</p>", "{{ word|md }}", {"word": "a<b"}),
        )


class Ranks(Figure):
    """The arms by the rank of their mean."""

    name = "ranks"
    section = "medians"

    def draw(self, evidence, verdicts):
        from matplotlib.figure import Figure

        values = evidence.values_by_arm(evidence.primary_metric)
        drawing = Figure((3, 2))
        means = sorted(float(found.mean()) for found in values.values())
        drawing.add_subplot().plot(means, "o")
        return Picture(self.name, "Ranks of arms", "Means in their order.", "Ranks.", (drawing,))


class Broken(Panel):
    """It fails."""

    name = "broken"
    title = "Broken"

    def blocks(self, report):
        raise KeyError("nothing here")


class Lost(Figure):
    """It names a section that no report has."""

    name = "lost"
    section = "nowhere"

    def draw(self, evidence, verdicts):
        return Ranks().draw(evidence, verdicts)
'''
POINTS = "[harness.panels]\n{panels}[harness.figures]\n{figures}"


@pytest.fixture
def register(tmp_path, monkeypatch, drawn_only):
    """Return a function that installs a package, by its metadata, and registers what it is told."""
    site = tmp_path / "site"
    info = site / "acme_pages-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-pages\nVersion: 1.0\n")
    (site / "acme_pages.py").write_text(textwrap.dedent(CODE))
    monkeypatch.syspath_prepend(str(site))

    def registered(panels=(), figures=()):
        lines = ["".join(f"{name.lower()} = acme_pages:{name}\n" for name in names)
                 for names in (panels, figures)]  # fmt: skip
        (info / "entry_points.txt").write_text(POINTS.format(panels=lines[0], figures=lines[1]))
        plugins._read.cache_clear()
        drawn_only(*(name.lower() for name in figures))

    yield registered
    plugins._read.cache_clear()
    sys.modules.pop("acme_pages", None)


def test_they_are_listed_and_documented(register, capsys):
    register(["Medians"], ["Ranks"])
    assert "medians" in PANELS.names()
    assert "ranks" in FIGURES.names()
    assert run(["list", "panels"]) == 0
    said = capsys.readouterr().out
    assert "Medians of the arms, which single bad seeds do not move." in said
    assert "acme-pages 1.0" in said
    assert "Every claim with its verdict" in said  # a built-in one
    assert run(["list", "figures"]) == 0
    assert "The arms by the rank of their mean." in capsys.readouterr().out


def test_they_are_shown_on_the_page_in_markdown_and_in_exports(register, finished, tmp_path):
    register(["Medians"], ["Ranks"])
    result = finished.profiles["default"]
    folder = build_page([result], tmp_path / "report")
    page, text = ((folder / name).read_text() for name in ("index.html", "report.md"))
    assert result.left_out == {}
    titles = re.findall(r"<h3 [^>]*>([^<]*)<", page)
    assert titles.index("Medians") == titles.index("Arms") + 1
    assert '<a href="#default-medians">Medians</a>' in page  # the table of contents
    section = page[page.index('id="default-medians"') :]
    section = section[: section.index("<h3")]
    assert "Of the &lt;b&gt;confirmation&lt;/b&gt; seeds." in section
    assert "<caption>Medians by arm</caption>" in section
    assert "<p id='default-own'>a&lt;b</p>" in section
    assert "Ranks of arms" in section
    assert "### Medians" in text
    assert "figures/default/ranks.png" in text
    assert "a&#60;b" in text
    assert (folder / "figures" / "default" / "ranks.svg").is_file()
    (written,) = export([result], tmp_path / "export")
    assert r"\caption{Medians by arm}" in (written / "tables" / "medians.tex").read_text()
    assert (written / "figures" / "ranks.pdf").read_bytes().startswith(b"%PDF")


def test_one_that_fails_is_left_out_and_told_and_a_figure_without_a_section_is_shown(
    register, finished, tmp_path
):
    register(["Broken"], ["Lost"])
    more = finished.profiles["more"]
    result = ProfileResult(more.evidence, more.verdicts)  # with nothing left out yet
    page = (build_page([result], tmp_path) / "index.html").read_text()
    assert list(result.left_out) == ["the section Broken"]
    line = CODE[: CODE.index("raise KeyError")].count("\n") + 1
    says = f"the section Broken could not be drawn (acme_pages.py:{line}: KeyError: &#39;nothing"
    assert says in page
    section = page[page.index('id="more-more"') :]
    assert "Ranks of arms" in section[: section.index("<h3")]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("return (\n            Text(", "return Text('one') or (\n            Text(",
         "`blocks` of medians returned Text, expected a tuple of blocks"),
        ('return Picture(self.name, "R', 'return drawing or Picture(self.name, "R',
         "`draw` of ranks returned Figure, expected a harness.figures.Picture"),
    ],
    ids=["blocks", "picture"],
)  # fmt: skip
def test_one_that_returns_something_else_is_told(register, finished, tmp_path, before, after, said):
    assert before in CODE
    (tmp_path / "site" / "acme_pages.py").write_text(CODE.replace(before, after))
    register(["Medians"], ["Ranks"])
    more = finished.profiles["more"]
    result = ProfileResult(more.evidence, more.verdicts)
    page = (build_page([result], tmp_path / "report") / "index.html").read_text()
    assert said in page


def test_every_built_in_one_says_what_it_is():
    for kind in (PANELS, FIGURES):
        assert len(kind.own()) >= 8
        for name in kind.own():
            assert kind.about(name).endswith(".")
            assert kind.find(name).name == name


def test_the_panel_of_the_documentation_is_shown(register, finished, tmp_path):
    page = Path(__file__).parents[2] / "docs" / "reports.md"
    codes = re.findall(r"```python\n# acme_pages.py\n(.*?)```", page.read_text(), re.S)
    (tmp_path / "site" / "acme_pages.py").write_text("\n".join(codes))
    register(["Spread"], ["Histogram"])
    result = finished.profiles["default"]
    shown = (build_page([result], tmp_path / "report") / "index.html").read_text()
    assert result.left_out == {}
    assert 'id="default-spread"' in shown
    assert "Results of all seeds" in shown
