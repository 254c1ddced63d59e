"""What a reader does with the page of a study, in a real browser."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from browsing import needs_chromium
from scipy import stats

from harness.report.charts import EXAMPLES, MOST_BYTES, PLACE, charts_of, with_charts
from harness.report.view import views_of

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.fixture(scope="module")
def study(both, tmp_path_factory):
    """A copy, to which pages are added."""
    return Path(shutil.copytree(both, tmp_path_factory.mktemp("study") / "odd-words"))


@pytest.fixture
def reader(browser, study):
    """Open pages of the study; at the end nobody may have complained in the console."""
    complaints, contexts = [], []

    def opened(address="index.html", width=1440, height=900, **settings):
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{study.as_uri()}/{address}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def test_the_first_screen_gives_the_answer_and_print_no_controls(reader):
    page = reader()
    for width, height in [(1440, 900), (390, 844)]:
        page.set_viewport_size({"width": width, "height": height})
        for shown in (page.locator(".headline"), *page.locator(".told").all()):
            box = shown.bounding_box()
            assert box["y"] + box["height"] <= height
        assert page.locator(".told").count() == 2
    page.emulate_media(media="print")
    assert page.locator("ul.answers > li").first.is_visible()
    assert not page.locator("form#compare").is_visible()


def test_tabs_lead_to_the_other_profile_and_back(reader):
    page = reader()
    tabs = page.get_by_role("navigation", name="Profiles").get_by_role("link")
    assert tabs.all_inner_texts() == ["more", "default"]
    assert page.locator(".tabs [aria-current]").inner_text() == "more"
    tabs.last.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/profile-default.html")
    assert page.locator("#default-verdicts").is_visible()
    page.go_back()
    assert page.locator("#more-verdicts").is_visible()


def test_an_address_of_a_section_of_another_profile_leads_to_its_page(reader):
    page = reader("index.html#default-claim-two-parts")
    page.wait_for_url("**/profile-default.html#default-claim-two-parts")
    assert page.locator("#default-claim-two-parts").is_visible()


def test_everything_is_there_without_scripts(reader):
    page = reader(java_script_enabled=False)
    assert page.locator("ul.answers > li").count() == 4
    assert page.locator("figure svg").count() > 3
    page.locator('table[data-table="arms"]').locator("xpath=ancestor::details/summary").click()
    assert page.locator('table[data-table="arms"] tbody tr').first.is_visible()


def test_the_arms_can_be_sorted_and_searched_and_the_address_keeps_it(reader):
    page = reader()
    board = page.locator('table[data-table="arms"]')
    page.get_by_text("with their numbers").click()
    board.get_by_role("button", name="Test accuracy").focus()
    page.keyboard.press("Enter")
    head = board.locator("thead th").nth(1)
    assert head.get_attribute("aria-sort") == "descending"
    cells = board.locator("tbody tr td:nth-child(2)").all_inner_texts()
    found = [float(re.match(r"[\d.]+", cell)[0]) for cell in cells if cell[0].isdigit()]
    assert len(found) > 4
    assert found == sorted(found, reverse=True)
    page.get_by_label("Find an arm").fill("tanh")
    names = board.locator("tbody tr:visible th").all_inner_texts()
    assert names
    assert all("tanh" in name for name in names)
    again = page.context.new_page()
    again.goto(page.url)
    assert again.locator('table[data-table="arms"] tbody tr:visible th').all_inner_texts() == names


def test_any_two_arms_can_be_compared_by_seed(reader, finished):
    page = reader()
    form = page.locator("form#compare")
    evidence = finished.profiles["more"].evidence
    values = evidence.values_by_arm("test.accuracy")
    one, other = "relu-1", "softmax-1"
    form.get_by_label("Compare").select_option(one)
    form.get_by_label("with").select_option(other)
    said = form.locator("output").inner_text().replace("\u2212", "-")
    shown = [
        float(n)
        for n in re.search(r"= ([-\d.]+) .*interval ([-\d.]+) to ([-\d.]+);", said).groups()
    ]
    differences = values[one] - values[other]
    expected = stats.t.interval(
        0.95, len(differences) - 1, differences.mean(), stats.sem(differences)
    )
    np.testing.assert_allclose(shown, [differences.mean(), *expected], atol=0.006)
    page.go_back()
    assert form.locator("output").inner_text() == ""
    page.go_forward()
    assert "6 shared seeds" in form.locator("output").inner_text()


def test_the_curves_show_their_numbers_and_arms_can_be_hidden(reader, finished):
    page = reader()
    box = page.locator("details.chart")
    box.locator("summary").click()
    legend = box.locator(".u-series")
    names = [text.rstrip(":") for text in legend.locator("th").all_inner_texts()]
    assert names[0] == "Epoch"
    assert "relu-1" in names
    box.locator(".u-over").focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    curves = finished.profiles["more"].evidence.curves
    mine = curves[(curves["arm"] == "relu-1") & (curves["epoch"] == 2)]
    shown = float(legend.nth(names.index("relu-1")).locator("td").inner_text())
    assert shown == pytest.approx(mine["validation.accuracy"].mean(), rel=1e-3)
    first = legend.nth(1).locator("th")
    first.focus()
    page.keyboard.press("Enter")
    assert first.get_attribute("aria-pressed") == "false"
    assert box.get_by_label("logarithmic axis").is_enabled()
    box.get_by_label("logarithmic axis").check()
    assert box.locator(".u-series th").nth(1).get_attribute("aria-pressed") == "false"
    assert box.locator(".u-over").count() == 1
    page.emulate_media(media="print")
    assert not box.is_visible()


def test_two_arms_stand_seed_by_seed_and_lead_to_their_trials(reader, finished):
    page = reader("index.html#a=relu-1&b=softmax-1")
    box = page.locator("#two-arms")
    box.locator(".u-over").hover(position={"x": 5, "y": 5})
    told = box.locator(".u-series td").all_inner_texts()
    rows = finished.profiles["more"].evidence.confirmation
    mine = rows[(rows["arm"] == "relu-1") & (rows["seed"] == int(told[0]))].iloc[0]
    value, trial = re.fullmatch(r"([\d.]+), trial (\w+)", told[1]).groups()
    assert float(value) == pytest.approx(mine["test.accuracy"], rel=1e-4)
    assert mine["trial_id"].startswith(trial)
    box.locator(".u-over").click(position={"x": 5, "y": 5})
    page.wait_for_url("**#more-trial-*")
    named = page.url.partition("#more-trial-")[2]
    assert named in set(rows[rows["arm"].isin(["relu-1", "softmax-1"])]["trial_id"])


def right(evidence, arm):
    rows = evidence.confirmation
    ids = rows[rows["arm"] == arm]["trial_id"]
    return np.mean([evidence.outcomes[id_]["test.accuracy"] for id_ in ids], axis=0)


def test_any_two_arms_show_the_test_examples_that_only_one_gets_right(reader, finished):
    page = reader("index.html#a=tanh-1&b=softmax-3")  # no claim compares these
    evidence = finished.profiles["more"].evidence
    first, second = right(evidence, "tanh-1"), right(evidence, "softmax-3")
    only, other = (first > 0.5) & (second <= 0.5), (second > 0.5) & (first <= 0.5)
    told = page.locator("#only-one p")
    told.nth(2).wait_for()
    both = int(((first > 0.5) & (second > 0.5)).sum())
    neither = len(first) - both - int(only.sum()) - int(other.sum())
    assert f"both arms get {both} right and neither {neither}." in told.nth(0).inner_text()
    assert told.nth(1).inner_text().startswith(f"Only tanh-1: {int(only.sum())}.")
    assert told.nth(2).inner_text().startswith(f"Only softmax-3: {int(other.sum())}.")
    page.locator("#only-one summary").click()
    cells = page.locator("#only-one tbody tr").first.locator("th, td").all_inner_texts()
    place = int(cells[0])
    gaps = np.where(only, first - second, -1)
    assert gaps[place] == pytest.approx(gaps.max())
    assert only[place]
    assert cells[2:] == [f"{round(6 * share[place])} of 6" for share in (first, second)]
    page.locator("form#compare select").nth(1).select_option("")
    assert not page.locator("#only-one").is_visible()


def test_a_page_says_that_records_keep_no_test_examples(reader, study):
    text = (study / "index.html").read_text()
    bare = re.sub(r'(id="example-values">)[^<]*', r'\1{"groups":[]}', text)
    assert bare != text
    (study / "profile-bare.html").write_text(bare)
    page = reader("profile-bare.html#a=tanh-1&b=softmax-3")
    page.locator("#only-one p").wait_for()
    assert "The records do not keep" in page.locator("#only-one").inner_text()


def test_a_page_that_would_be_too_large_goes_without_charts(finished):
    view = views_of([finished.profiles["more"]])[0]
    charts = charts_of(view)
    whole = with_charts(f"<p>{EXAMPLES}{PLACE}</p>", view, charts)
    assert "uPlot" in whole
    assert '"right":' in whole
    large = f"{EXAMPLES}{'a' * (MOST_BYTES - 100)}{PLACE}"
    found = with_charts(large, view, charts)
    assert "uPlot" not in found
    assert '"large":true' in found
    assert '"right":' not in found


def test_hundreds_of_arms_show_their_first_and_last(reader, study):
    """The rows of the table many times over, with names of their own."""
    text = (study / "index.html").read_text()
    table = re.search(r'data-table="arms".*?<tbody>(.*?)</tbody>', text, re.DOTALL)[1]
    many = "".join(
        table.replace('<th scope="row">', f'<th scope="row">{number:03}-') for number in range(60)
    )
    (study / "profile-many.html").write_text(text.replace(table, many))
    page = reader("profile-many.html")
    page.get_by_text("with their numbers").click()
    board = page.locator('table[data-table="arms"]')
    every = board.locator("tbody tr").count()
    assert every >= 300
    assert board.locator("tbody tr:visible").count() == 20
    page.get_by_label("Find an arm").fill("017-relu-1")
    assert board.locator("tbody tr:visible").count() == 1
    page.get_by_label("Find an arm").fill("")
    page.get_by_role("button", name="Show all").click()
    assert board.locator("tbody tr:visible").count() == every


@pytest.mark.parametrize("name", ["index.html", "profile-default.html"])
def test_a_phone_shows_it_without_a_clipped_column(reader, name):
    page = reader(name, 390, 844, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    clipped = page.evaluate(
        """() => [...document.querySelectorAll("main table")].filter(t => t.offsetParent &&
        t.scrollWidth > innerWidth && !t.closest(".scroll")).map(t => t.caption.textContent)"""
    )
    assert clipped == []
