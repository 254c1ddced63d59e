"""The page of one claim: every number that its verdict rests on, and the way to its trials."""

import csv

import numpy as np
import pytest
from browsing import needs_chromium

from harness.judge import numbers_per_seed
from harness.report import build_page


@pytest.fixture(scope="module")
def study(finished, tmp_path_factory):
    return build_page(list(finished.profiles.values()), tmp_path_factory.mktemp("claims"))


def test_every_claim_has_a_page_and_its_data(finished, study):
    ids = {verdict.id for verdict in finished.verdicts}
    assert {file.stem for file in (study / "claims").glob("*.html")} == ids
    assert {file.stem for file in (study / "claims").glob("*.csv")} == ids
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


def test_a_claim_without_numbers_says_so(study):
    text = (study / "claims" / "hot-fails.html").read_text()
    assert "There are no numbers for this yet." in text


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
def test_the_page_in_a_browser(browser, study, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((study / "index.html").as_uri())
    page.get_by_role("link", name="relu-beats-softmax: seed by seed").click()
    assert page.locator("svg.dots circle").count() == 6 + 5  # a seed each, of both profiles
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = axe.Axe().run(page).response["violations"]
    assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found] == []
    page.locator("td a").first.click()
    assert page.locator("tr:target").is_visible()
    assert complaints == []
    context.close()
