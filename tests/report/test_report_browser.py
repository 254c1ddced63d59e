"""The page in a real browser: at phone, laptop and print size, light and dark."""

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from browsing import needs_chromium
from lean import UNDRAWN
from sharing import replace_all

from harness.report import arranged, build_comparison, build_page, build_scoreboard, compare, trials

pytestmark = [pytest.mark.slow, needs_chromium]

CONTRAST = """
() => {
  const parse = c => [...c.match(/[\\d.]+/g).map(Number), 1].slice(0, 4);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c[3] > 0) return c;
    }
    return [255, 255, 255, 1];
  };
  const poor = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || e.closest(".unseen, .skip, style")) continue;
    const style = getComputedStyle(e);
    const svg = e.closest("svg") !== null;
    const a = light(parse(svg ? style.fill : style.color));
    const b = light(ground(svg ? e.closest("figure") : e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push([e.textContent.trim().slice(0, 40), ratio.toFixed(2)]);
  }
  return poor;
}
"""
OVERLAPS = """
() => [...document.querySelectorAll("figure svg")].flatMap(svg => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter(t => {
    const box = t.getBoundingClientRect();
    return box.left < frame.left - 1 || box.right > frame.right + 1;
  }).map(t => t.textContent);
})
"""


@pytest.fixture(scope="module")
def site(finished, both, tmp_path_factory):
    """All kinds of pages as `harness report` lays them out, and one with its trials apart."""
    folder = tmp_path_factory.mktemp("site")
    results = list(finished.profiles.values())
    build_scoreboard(arranged(results), folder)
    shutil.copytree(both, folder / "odd-words")
    build_comparison(compare(results, results, ("one", "other")), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trials, "MOST_ON_THE_REPORT", 10)
        patch.setattr(trials, "MOST_ON_A_PAGE", 15)
        replace_all(patch, UNDRAWN)  # its trials are looked at
        build_page(results[:1], folder / "many")
    return folder


@pytest.fixture(scope="module")
def address(site):
    return (site / "odd-words" / "index.html").as_uri()


@pytest.fixture
def open_page(browser, address):
    """Open the page; at the end nothing may have been fetched or complained about."""
    complaints, contexts = [], []

    def note(request):
        if not (request.is_navigation_request() or request.url.startswith("data:")):
            complaints.append(request.url)

    def opened(width, height, target=address, **settings):
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", note)
        page.goto(target)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


OPEN = "open => document.querySelectorAll('details').forEach(d => d.open = open)"
WIDTH = "document.documentElement.scrollWidth"


def test_nothing_sticks_out(open_page):
    page = open_page(390, 844)
    for width, height in [(390, 844), (768, 1024), (1280, 800), (2200, 1300)]:
        page.evaluate(OPEN, False)
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(WIDTH) <= width
        assert page.evaluate(OVERLAPS) == []
        page.evaluate(OPEN, True)
        assert page.evaluate(WIDTH) <= width


def test_the_outline_is_there_and_it_works_with_the_keyboard(open_page):
    page = open_page(1280, 800)
    assert page.locator("h1").count() == 1
    assert page.get_by_role("heading", name="Verdicts", exact=True).count() == 1
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("navigation", name="Contents").count() == 1
    assert page.get_by_role("table").count() >= 6
    assert page.get_by_role("img").count() >= 8
    assert page.locator("table:not(:has(caption))").count() == 0
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
    assert all(b - a <= 1 for a, b in pairwise(levels))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the answer"
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('summary').parentElement.open")


def test_the_verdicts_are_cards_on_a_phone_and_still_a_table(open_page):
    page = open_page(390, 844)
    table = page.get_by_role("table", name="Every claim, what was measured").first
    assert table.get_by_role("row").count() >= 4
    assert table.get_by_role("rowheader").first.bounding_box()["width"] > 300


def test_a_reader_gets_to_a_single_trial_in_three_clicks(open_page):
    page = open_page(1280, 800)
    page.get_by_text("Evidence:").first.click()
    page.locator(".trials a").first.click()
    target = page.locator("tr:target")
    assert target.is_visible()
    assert target.get_by_role("rowheader").inner_text()


def test_three_clicks_lead_from_a_claim_on_the_scoreboard_to_a_single_trial(open_page, site):
    page = open_page(1280, 800, (site / "index.html").as_uri())
    page.get_by_role("link", name="Evidence for relu-beats-softmax in profile default").click()
    trial = page.locator("#default-claim-relu-beats-softmax-trials a").first
    trial.click()  # the list is open, for the address names it
    assert page.locator("tr:target").is_visible()
    assert page.locator("tr:target th").inner_text() == trial.inner_text()


def test_trials_on_pages_of_their_own_can_be_reached_and_left(open_page, site):
    page = open_page(1280, 800, (site / "many" / "index.html").as_uri())
    page.get_by_text("Evidence:").first.click()
    page.locator(".trials a").first.click()
    assert "/many/trials/" in page.url
    assert page.locator("tr:target").is_visible()
    page.get_by_role("navigation", name="Pages of trials").get_by_role("link").first.click()
    assert page.get_by_role("row").count() == 1 + 15
    page.get_by_role("link", name="odd-words").click()
    assert page.locator("h1").inner_text() == "Does <b>depth</b> pay, at $5 | a_layer?"


@pytest.mark.parametrize(
    "name",
    ["index.html", "odd-words/index.html", "many/trials/default-1.html", "comparison.html"],
)
def test_an_accessibility_checker_finds_no_fault(open_page, site, name):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = open_page(1280, 800, (site / name).as_uri())
    page.evaluate(OPEN, True)
    for scheme, width in [("light", 1280), ("dark", 390)]:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        found = axe.Axe().run(page).response["violations"]
        assert [(fault["id"], fault["impact"], fault["nodes"][0]["html"]) for fault in found] == []


@pytest.mark.parametrize("name", ["index.html", "comparison.html", "many/trials/default-1.html"])
def test_the_other_pages_fit_a_phone(open_page, site, name):
    page = open_page(390, 844, (site / name).as_uri())
    assert page.evaluate(WIDTH) <= 390


def test_every_text_can_be_read(open_page):
    page = open_page(1280, 800)
    page.evaluate(OPEN, True)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground != "rgb(255, 255, 255)") == (scheme == "dark")
        assert page.evaluate(CONTRAST) == []


SMALL = """
() => [...document.querySelectorAll("figure svg text, .answers svg text")].filter(t => {
  const svg = t.ownerSVGElement, wide = svg.getBoundingClientRect().width;
  if (!wide) return false;
  const scale = wide / svg.viewBox.baseVal.width;
  return parseFloat(getComputedStyle(t).fontSize) * scale < 9;
}).map(t => t.textContent)
"""


@pytest.mark.parametrize("name", ["index.html", "odd-words/index.html"])
def test_no_label_of_a_drawing_is_smaller_than_nine_pixels(open_page, site, name):
    page = open_page(390, 900, (site / name).as_uri())
    page.evaluate(OPEN, True)
    for width in (390, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(SMALL) == []


def test_it_prints_on_a4(open_page, tmp_path):
    page = open_page(1280, 800, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav[aria-label=Contents]").is_visible()
    file = Path(tmp_path / "page.pdf")
    page.pdf(path=str(file), prefer_css_page_size=True)
    content = file.read_bytes()
    assert content.startswith(b"%PDF")
    assert b"/MediaBox [0 0 594.95" in content or b"/MediaBox [0 0 595" in content


@pytest.fixture(scope="module")
def full_board(finished, tmp_path_factory):
    """A scoreboard of so many studies that their claims are folded away."""
    folder = tmp_path_factory.mktemp("board")
    default = finished.profiles["default"]
    (one,) = arranged([default])
    build_scoreboard([replace(one, name=f"study-{number}") for number in range(6)], folder)
    return (folder / "index.html").as_uri()


def test_a_scoreboard_of_many_studies_is_folded_and_opens_where_one_looks(open_page, full_board):
    page = open_page(1280, 800, full_board)
    folds = page.locator("details.fold")
    shut = page.evaluate("document.documentElement.scrollHeight")
    assert (folds.count(), page.locator("details.fold[open]").count()) == (6, 0)
    page.get_by_role("button", name="Open all").click()
    assert page.locator("details.fold[open]").count() == 6
    assert page.evaluate("document.documentElement.scrollHeight") > 2 * shut
    page.get_by_role("button", name="Close all").click()
    assert page.locator("details.fold[open]").count() == 0
    page.locator("a.tile").nth(1).click()  # of the map, to its claim
    assert page.locator("details.fold[open]").count() == 1
    assert page.locator(f"[id='{page.url.partition('#')[2]}']").is_visible()
    page.goto(full_board + "#study=study-4&verdict=")
    assert page.locator("section.study:visible").count() == 1
    assert page.locator("#study-study-4 ~ details").get_attribute("open") is not None
    page.emulate_media(media="print")
    assert page.locator("tr.result:visible").count() > 0


def test_a_folded_scoreboard_can_be_read_without_scripts_and_on_paper(open_page, full_board):
    page = open_page(390, 844, full_board, java_script_enabled=False)
    assert page.get_by_role("button", name="Open all").count() == 0
    page.locator("details.fold > summary").first.click()
    assert page.locator("details.fold").first.locator("tr.result").first.is_visible()
    page.emulate_media(media="print")
    assert page.locator("details.fold").last.locator("tr.result").first.is_visible()
