"""The page of one claim: every number that its verdict rests on, and the way to its trials."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from browsing import needs_chromium

from harness.judge import numbers_per_seed
from harness.judge.measures import sides_per_seed
from harness.publish import Published, read_file
from harness.report.claims import _tests
from harness.report.seed_drawing import pairs_of
from harness.report.view import views_of
from harness.run.results import Results


@pytest.fixture(scope="module")
def study(both):
    return both


def test_every_claim_has_a_page_and_its_data(finished, study):
    ids = {verdict.id for verdict in finished.verdicts}
    assert {file.stem for file in (study / "claims").glob("*.html")} == ids
    for kind in ("csv", "json", "png", "md"):
        assert ids <= {file.stem for file in (study / "claims").glob(f"*.{kind}")}
    assert all(not result.left_out for result in finished.profiles.values())


def test_the_data_of_a_claim_give_its_effect(finished, study):
    with (study / "claims" / "relu-beats-softmax.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["profile"] == "default"]
    arms = {row["arm"] for row in rows}
    assert arms == {"relu-1", "relu-3", "softmax-1", "softmax-3"}
    means = {
        kind: np.mean([float(r["value"]) for r in rows if r["arm"].startswith(kind)])
        for kind in ("relu", "softmax")
    }
    verdict = finished.verdicts[0]
    assert means["relu"] - means["softmax"] == pytest.approx(verdict.effect)
    claim = finished.evidence.plan.study.claims[0]
    numbers = numbers_per_seed(claim.tests[0], finished.evidence, verdict.seeds)
    assert numbers.mean() == pytest.approx(verdict.effect)


def test_the_json_beside_it_has_the_same_rows_and_the_verdicts(finished, study):
    document = json.loads((study / "claims" / "relu-beats-softmax.json").read_text())
    with (study / "claims" / "relu-beats-softmax.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["value"]) for row in rows] == [row["value"] for row in document["rows"]]
    assert document["verdicts"]["default"]["verdict"] == finished.verdicts[0].verdict


def test_curves_and_search_are_those_of_the_arms_concerned_alone(study):
    name = "relu-beats-softmax-1-default-learning-curves"
    document = json.loads((study / "claims" / f"{name}.json").read_text())
    arms = {"relu-1", "relu-3", "softmax-1", "softmax-3"}
    assert {row["line"].split(" (")[0] for row in document["rows"]} == arms
    with (study / "claims" / f"{name}.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(document["rows"])
    found = (study / "claims" / "relu-beats-softmax-1-default-search-optimizer-lr.csv").read_text()
    assert "tanh" not in found
    page = (study / "claims" / "relu-beats-softmax.html").read_text()
    assert f'href="{name}.json"' in page
    assert "Grey: all other arms" not in page


def test_both_sides_stand_on_each_seed_with_the_data_under_every_figure(finished, study):
    claim = finished.evidence.plan.study.claims[0]
    first, second = sides_per_seed(claim.tests[0], finished.evidence, finished.verdicts[0].seeds)
    pairs = pairs_of(claim.tests[0], finished.evidence, finished.verdicts[0].seeds)
    assert (pairs.first, pairs.second) == ("relu", "softmax")
    rows = re.findall(
        r'<text class="row"[^>]*>(\d+)</text>.*?<circle class="one" cx="([\d.]+)".*?'
        r'<rect class="other" x="([\d.]+)"',
        pairs.drawing,
    )
    assert [int(row[0]) for row in rows] == list(range(5))
    places = np.array([[float(row[1]), float(row[2]) + 4] for row in rows])
    values = np.column_stack([first, second])
    slope, start = np.polyfit(values.ravel(), places.ravel(), 1)
    np.testing.assert_allclose(places, slope * values + start, atol=0.2)
    page = (study / "claims" / "relu-beats-softmax.html").read_text()
    figures = re.findall(r"<figcaption>.*?</figcaption>", page, re.DOTALL)
    assert len(figures) >= 3
    for caption in figures:
        assert re.search(r'href="[^"]*\.csv"', caption)
        assert re.search(r'href="[^"]*\.json"', caption)
    assert pairs_of(claim.tests[0], finished.evidence, 99) is None  # seeds that nobody ran
    level = finished.evidence.plan.study.claims[3].tests[0]
    assert pairs_of(level, finished.evidence, 5) is None  # it compares no two


def test_the_dots_of_a_ratio_are_ratios_as_the_claim_is():
    files = Path(__file__).parents[2] / "results" / "published"
    published = [read_file(files / "activation-cost.quick.json.gz")]
    (view,) = views_of(Results(None, Published(files=published)).judged())
    answer = next(one for one in view.answers if one.row.id == "gelu-tanh-is-cheaper")
    (tested,) = _tests(view, answer)
    assert np.exp(np.mean(np.log(tested.numbers))) == pytest.approx(answer.row.effect, rel=1e-6)


def test_the_page_says_how_to_read_and_cite_it_and_shows_its_card_elsewhere(study):
    page = (study / "claims" / "relu-beats-softmax.html").read_text()
    assert "How to read it" in page
    assert "How to cite it" in page
    assert '<meta property="og:image" content="relu-beats-softmax.png">' in page
    assert "harness claims odd-words --claim relu-beats-softmax" in page
    whole = (study / "index.html").read_text()
    assert 'property="og:image" content="claims/' in whole


def test_every_figure_of_numbers_stands_there_as_csv_and_json(study):
    for file in (study / "figures" / "default").glob("*.json"):
        document = json.loads(file.read_text())
        with file.with_suffix(".csv").open() as rows:
            assert len(list(csv.DictReader(rows))) == len(document["rows"]) > 0
    named = {file.stem for file in (study / "figures" / "default").glob("*.json")}
    assert {"arms", "effects", "common-axis", "learning-curves", "interactions"} <= named
    page = (study / "profile-default.html").read_text()
    assert 'href="figures/default/arms.json"' in page


def test_a_claim_without_numbers_says_so(study):
    text = (study / "claims" / "hot-fails.html").read_text()
    assert "There are no numbers for this yet." in text


@pytest.mark.slow
@needs_chromium
def test_the_page_in_a_browser(browser, study):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    context = browser.new_context()
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((study / "index.html").as_uri())
    page.get_by_role("link", name="relu-beats-softmax: seed by seed").click()
    assert page.locator("svg.dots circle").count() == 2 * (6 + 5)  # both sides of each seed
    for summary in page.locator("summary").all():
        summary.click()
    for width, scheme in [(390, "dark"), (1440, "light")]:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = axe.Axe().run(page).response["violations"]
        assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found] == []
    page.locator("td a").first.click()
    page.locator("tr:target").wait_for(timeout=600_000)  # milliseconds
    assert complaints == []
    context.close()
