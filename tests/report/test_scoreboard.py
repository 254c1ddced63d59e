"""The page over all studies, as text and in a real browser."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from test_report_browser import CONTRAST
from test_report_build import read

from harness.integrity import Provenance
from harness.judged import Part
from harness.report import arranged, build_scoreboard, make_board
from harness.report.effect_drawing import WIDTH, strips
from harness.report.sources import known_sources
from harness.study.bundled import bundled_studies


def under_another_name(result, name):
    execution = replace(result.evidence.execution, study=name)
    return replace(
        result,
        evidence=replace(result.evidence, execution=execution),
        provenance=Provenance(published=True),
    )


@pytest.fixture(scope="module")
def results(finished):
    default, more = finished.profiles["default"], finished.profiles["more"]
    verdicts = [replace(default.verdicts[0], changed_after_evidence=True), *default.verdicts[1:]]
    return [
        replace(
            default, verdicts=verdicts, provenance=Provenance(discussions={"relu-loses": "why"})
        ),
        more,
        under_another_name(default, "another-study"),
    ]


@pytest.fixture(scope="module")
def folder(results, tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    build_scoreboard(arranged(results), folder)
    return folder


def test_every_claim_stands_there_once_with_every_profile(folder, finished):
    page = (folder / "index.html").read_text()
    reader = read(page)
    shown = " ".join("".join(reader.text).split())
    assert page.count('<tbody role="rowgroup" class="claim"') == 8
    assert page.count('<tr role="row" class="result"') == 12
    assert page.count('<svg class="strip') == 12
    assert page.count('<figure class="glance">') == 2
    for verdict in finished.verdicts:
        assert verdict.says in shown
    assert "What the evidence says about 8 claims of 2 studies" in shown
    assert shown.count("changed after its evidence") == 1
    assert "published" in shown
    assert "<script>alert" not in page
    assert "<b>depth" not in page


def test_the_counts_are_those_of_the_verdicts(results, finished):
    board = make_board(arranged(results))
    supported = sum(v.verdict == "supported" for v in finished.verdicts)
    assert board.totals["default"]["supported"] == 2 * supported
    assert sum(board.totals["more"].values()) == 4
    assert board.claims == 8


def test_links_lead_to_the_claims_of_the_study_pages(folder, built):
    page = (folder / "index.html").read_text()
    links = set(re.findall(r'href="odd-words/profile-default\.html#(default-claim-[^"]*)"', page))
    assert len(links) == 8  # to the claim, and to its trials
    assert all(f'id="{link}"' in built[1] for link in links)
    assert 'id="default-integrity"' in built[1]


def test_the_markdown_tables_are_whole(folder):
    text = (folder / "index.md").read_text()
    assert "<script" not in text
    width = 0
    for line in text.splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert width in (0, cells) or cells == 0
        width = cells
    words = ("supported", "refuted", "inconclusive", "incomplete")
    assert sum(text.count(f"**{word}") for word in words) >= 8


def test_the_same_results_give_the_same_bytes(results, folder, tmp_path):
    build_scoreboard(arranged(results[::-1]), tmp_path)
    for name in ("index.html", "index.md"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_no_results_and_no_claims_are_still_pages(finished, tmp_path):
    build_scoreboard(arranged([]), tmp_path)
    assert "0 claims of 0 studies" in (tmp_path / "index.html").read_text()
    build_scoreboard(arranged([replace(finished.profiles["default"], verdicts=[])]), tmp_path)
    assert "The study makes no claims." in (tmp_path / "index.html").read_text()


SOURCES = """
[works.a]
title = "A book on depth"
part = "chapter"
[says]
"a 1.2" = "ReLU is better than softmax."
"""


@pytest.fixture
def with_sources(finished, tmp_path, monkeypatch):
    """The results of a study whose claims come from a book that the file of sources describes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "sources.toml").write_text(SOURCES)
    default = finished.profiles["default"]
    cited = [replace(v, source=["a 1.2"] if i else ["a 1.3", "B and C 2020"])
             for i, v in enumerate(default.verdicts)]  # fmt: skip
    return [replace(default, verdicts=cited)]


def test_the_map_has_a_row_for_each_chapter_and_a_mark_for_each_claim(with_sources, tmp_path):
    board = make_board(arranged(with_sources))
    chapters = {chapter: claims for chapter, _, claims in board.chapters}
    assert list(chapters) == ["a 1", "B and C 2020"]
    counts = {word: len(found) for word, found in chapters["a 1"].items()}
    verdicts = [v.verdict for v in with_sources[0].verdicts]
    assert counts == {word: verdicts.count(word) for word in counts}
    assert sum(map(len, chapters["B and C 2020"].values())) == 1
    build_scoreboard(arranged(with_sources), tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert page.count('class="tile"') == len(verdicts) + 1
    assert "a, chapter 1.2: ReLU is better than softmax." in page
    assert 'href="#source=a%201"' in page
    assert "A book on depth" in (tmp_path / "index.md").read_text()


def test_the_syllabus_has_each_chapter_with_its_claims_and_pictures(with_sources, tmp_path):
    other = under_another_name(with_sources[0], "another-study")
    build_scoreboard(arranged([*with_sources, other]), tmp_path / "own")
    assert not (tmp_path / "own" / "syllabus.md").exists()
    build_scoreboard(arranged([*with_sources, other]), tmp_path, published=True)
    text = (tmp_path / "syllabus.md").read_text()
    assert re.findall(r"^#+ .*", text, re.M)[1:] == ["## A book on depth", "### a, chapter 1"]
    assert text.count("> ReLU is better than softmax.") == 1
    assert text.count("![") == 2  # one of each study
    assert text.count("harness run studies/another-study.yaml --profile default") == 1
    for verdict in with_sources[0].verdicts:
        assert text.count(f"**{verdict.words}**") >= 2
    assert "[syllabus](syllabus.md)" in (tmp_path / "index.md").read_text()


@pytest.mark.parametrize("text", ["works = 3", "[works.a]\ntitle = 'no part'", "[says"])
def test_a_broken_file_of_sources_is_told_and_costs_nothing(with_sources, tmp_path, text):
    (tmp_path / "studies" / "sources.toml").write_text(text)
    board = make_board(arranged(with_sources))
    assert board.claims == 4
    assert any("sources.toml" in said for said in board.left_out)


def test_what_changed_since_the_last_publication_is_told(with_sources, tmp_path):
    published = tmp_path / "published"
    build_scoreboard(arranged(with_sources), published, published=True)
    assert "Since the last publication" not in (published / "index.md").read_text()
    first = (published / "index.md").read_bytes()
    build_scoreboard(arranged(with_sources), published, published=True)
    assert (published / "index.md").read_bytes() == first  # the same, however often
    one, two, *rest = with_sources[0].verdicts
    other = replace(one, verdict="inconclusive", refutation="", effect=0.5, ci_low=0.1, ci_high=0.9)
    new = replace(two, id="brand-new")
    today = [replace(with_sources[0], verdicts=[other, new, *rest])]
    build_scoreboard(arranged(today), tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert "1 other than then, 1 new, 1 gone; 2 are the same." in page
    build_scoreboard(arranged(today), published, published=True)
    told = (published / "index.md").read_text()
    assert "1 other than then, 1 new, 1 gone; 2 are the same." in told
    build_scoreboard(arranged(today), published, published=True)
    assert (published / "index.md").read_text() == told


def test_every_source_of_the_bundled_claims_is_spelt_out():
    known = known_sources(Path("no such folder"))
    assert known.problem == ""
    cited = set()
    for file in bundled_studies().values():
        for claim in yaml.safe_load(file.read_text()).get("claims", ()):
            cited |= set(claim.get("source", ()))
    works = {source for source in cited if source.partition(" ")[0] in known.works}
    assert works
    assert works - known.says.keys() == set()
    assert known.spelt("insights 7") == "insights, point 7"
    assert known.spelt("handbook 5 exercises") == "handbook, chapter 5 exercises"
    assert known.chapter("handbook 5.2") == "handbook 5"


def effect(**fields):
    values = {
        "measures": "m", "expected": "> 1", "verdict": "supported", "p_value": 0.01, "missing": "",
        "effect": 2.0, "ci_low": 1.5, "ci_high": 2.5, "claimed": ((1.0, math.inf),), "neutral": 0.0,
    }  # fmt: skip
    return Part(**{**values, **fields})


def test_drawings_of_a_claim_share_a_scale_and_stay_inside():
    wide, narrow = strips([effect(ci_high=None), effect(effect=10.0, ci_low=9.0, ci_high=11.0)])
    places = [float(x) for x in re.findall(r'(?:x1|x2|x|cx)="([\d.]+)"', wide + narrow)]
    assert all(0 <= x <= WIDTH for x in places)
    edges = [re.search(r'class="edge" x1="([\d.]+)"', strip).group(1) for strip in (wide, narrow)]
    assert edges[0] == edges[1]
    assert 'x2="200.0"' in wide
    assert wide.count('class="head"') == 1  # it has no upper end
    assert 'class="head"' not in narrow
    (empty,) = strips([effect(effect=None, ci_low=None, ci_high=None, verdict="incomplete")])
    assert "interval" not in empty
    crosses = strips([effect(verdict="refuted")])[0]
    assert "cross" in crosses


@pytest.fixture
def open_board(browser, folder):
    contexts, complaints = [], []

    def opened(width=1280, height=800, fragment="", **settings):
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((folder / "index.html").as_uri() + fragment)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.slow
def test_the_board_fits_every_width_and_can_be_read(open_board):
    page = open_board()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(CONTRAST) == []
    for width in (360, 768, 1280, 2200):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_filters_hide_what_does_not_fit_and_say_so(open_board):
    page = open_board()
    shown = "[...document.querySelectorAll('tr.result')].filter(r => r.offsetParent).length"
    said = page.locator("output")
    assert page.evaluate(shown) == 12
    assert said.inner_text() == "12 verdicts on 8 claims"
    page.get_by_role("combobox", name="Profile").select_option("more")
    assert page.evaluate(shown) == 4
    assert said.inner_text() == "4 verdicts on 4 claims of 8"
    assert not page.locator("#study-another-study").is_visible()
    page.get_by_role("combobox", name="Source").select_option("a book 1")
    assert page.evaluate(shown) == 1
    assert "source=a+book+1" in page.url
    page.get_by_role("combobox", name="Verdict").select_option("incomplete")
    assert "Nothing fits" in said.inner_text()
    page.go_back()
    assert page.evaluate(shown) == 1
    page.go_back()
    assert page.evaluate(shown) == 4
    page.go_forward()
    assert page.evaluate(shown) == 1
    page.get_by_role("button", name="Show all").press("Enter")
    page.wait_for_function(f"{shown} === 12")
    assert "#" not in page.url


@pytest.mark.slow
def test_counts_and_addresses_lead_to_filtered_claims(open_board):
    page = open_board(fragment="#study=another-study&verdict=inconclusive")
    visible = page.locator("tr.result:visible")
    count = visible.count()
    assert count >= 1
    page.get_by_role("button", name="Show all").click()
    page.get_by_label(f"{count} inconclusive in another-study", exact=False).click()
    page.wait_for_function("document.querySelector('output').textContent.includes(' of 8')")
    assert visible.count() == count
    assert page.get_by_role("combobox", name="Study").input_value() == "another-study"


@pytest.mark.slow
def test_the_board_works_without_its_script_and_on_paper(open_board, tmp_path):
    plain = open_board(java_script_enabled=False)
    assert plain.locator("#filter").is_hidden()
    assert plain.locator("tr.result").count() == 12
    page = open_board(color_scheme="dark")
    page.emulate_media(media="print")
    assert not page.locator("#filter").is_visible()
    page.pdf(path=str(Path(tmp_path / "board.pdf")))
    assert (tmp_path / "board.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.slow
def test_the_board_has_an_outline_and_names_for_everything(open_board):
    page = open_board()
    assert page.locator("h1").count() == 1
    assert page.locator("table:not(:has(caption))").count() == 0
    for label in ("Study", "Verdict", "Source", "Profile"):
        assert page.get_by_role("combobox", name=label).count() == 1
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the claims"
