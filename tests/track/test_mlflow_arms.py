"""The first view of a study in MLflow: each arm once, with the mean of all its seeds.

In a real browser, of studies with fewer runs than MLflow loads at a time (100), and with more.
"""

import os
import random
import re
import shutil
from statistics import fmean

import pytest
from browsing import needs_chromium
from tracking_examples import (
    InThread,
    Server,
    client,
    execution,
    record,
    trial,
    verdict,
    with_database,
)

from harness.track import ArmSummary, TrialInfo

PATIENCE = 60_000.0
SIZES = {"ten": (2, 5), "two-hundred": (25, 8)}
"""Arms and seeds of each study."""

pytestmark = [pytest.mark.slow, needs_chromium]


def shown(value):
    """As MLflow's lists write a number."""
    return f"{value:.4g}"


def mirror_study(results, study, arms, seeds):
    """Mirror a study whose arms' seeds scatter widely; return the mean of each arm."""
    randomness = random.Random(arms)
    values = {
        f"arm-{n:02d}": [randomness.uniform(0.5, 1) for _ in range(seeds)] for n in range(arms)
    }
    of = execution(study, arms=tuple(values), factors=("level",))
    summaries = [
        ArmSummary(arm, {"level": arm[-2:]}, {"test.accuracy": fmean(mine)}, (0.5, 0.9), seeds,
                   str(seeds), {"relu-wins": "supported"})
        for arm, mine in values.items()
    ]  # fmt: skip
    with InThread(None, results) as mirror:
        mirror.start(of)
        for place, (arm, mine) in enumerate(values.items()):
            for seed, value in enumerate(mine):
                one = record(trial(1000 * place + seed), metrics={"test.accuracy": value}, curve=())
                mirror.trial_finished(one, TrialInfo(arm, {"level": arm[-2:]}))
        report = results.parent / f"report-{study}"
        report.mkdir()
        (report / "index.html").write_text(f"<h1>Report of {study}</h1>")
        mirror.sum_up(summaries)
        status = mirror.finish("finished", [verdict()], report=report, patience=600)
    assert status.done
    assert status.error == ""
    return {arm: fmean(mine) for arm, mine in values.items()}


@pytest.fixture(scope="module")
def means(tmp_path_factory, template):
    """The means of each study's arms, and the folder: a copy of one that is there no more."""
    first = with_database(tmp_path_factory.mktemp("first") / "results", template)
    found = {study: mirror_study(first, study, *size) for study, size in SIZES.items()}
    copy = tmp_path_factory.mktemp("copy") / "results"
    shutil.move(first, copy)
    return found, copy


@pytest.fixture(scope="module")
def server(means):
    server = Server(means[1])
    yield server.start()
    server.stop()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1600, "height": 1400})
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE)
    yield opened
    if folder := os.environ.get("HARNESS_SCREENSHOTS"):
        opened.screenshot(path=f"{folder}/{os.environ['PYTEST_CURRENT_TEST'].split()[0][-20:]}.png")
    context.close()


def links(folder, study):
    note = client(f"sqlite:///{folder}/mlflow.db").get_experiment_by_name(study).tags
    return dict(re.findall(r"\[([^]]+)\]\((#[^)]+)\)", note["mlflow.note.content"]))


@pytest.mark.parametrize("study", SIZES)
def test_every_arm_is_there_once_with_the_mean_of_all_its_seeds(study, means, server, page):
    found, folder = means
    page.goto(f"{server.uri}/{links(folder, study)['Arms of profile quick']}")
    page.get_by_text("arm-00", exact=True).first.wait_for()
    numbers = page.locator("[col-id='metrics.`test/accuracy`'][role=gridcell]")
    numbers.first.wait_for()
    page.wait_for_function(
        "n => document.querySelectorAll("
        "'[col-id=\"metrics.`test/accuracy`\"][role=gridcell]').length >= n",
        arg=len(found[study]),
    )
    texts = [text.strip() for text in numbers.all_text_contents()]
    assert len(texts) == len(found[study])
    told = sorted(float(text) for text in texts)
    assert told == pytest.approx(sorted(found[study].values()), abs=2e-3)
    assert page.get_by_text("Group:").count() == 0


def test_claims_have_a_list_of_their_own(means, server, page):
    page.goto(f"{server.uri}/{links(means[1], 'ten')['Claims of profile quick']}")
    page.get_by_text("ReLU | wins").first.wait_for()
    page.get_by_text("supported").first.wait_for()


def test_the_list_of_experiments_opens_their_runs_once_the_mode_is_chosen(server, page):
    page.goto(f"{server.uri}/#/experiments")
    page.get_by_text("Model training").first.click()
    page.get_by_role("link", name="two-hundred").first.click()
    page.get_by_text("Which one?").first.wait_for()
    page.wait_for_url(re.compile("/runs.*workflowType=machine_learning"))


def test_a_report_is_found_after_the_results_were_moved(means, server, page):
    page.goto(f"{server.uri}/{links(means[1], 'ten')['The report of profile quick']}")
    page.frame_locator("iframe").first.get_by_role("heading", name="Report of ten").wait_for()
