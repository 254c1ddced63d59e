"""After a real run, in a real browser: what somebody who lives in MLflow clicks on.

One study, one server and one browser for all tests.
"""

import contextlib
import io
import json
import os
import re

import numpy as np
import pytest
from browsing import needs_chromium
from tracking_examples import Server, client, runs, with_database

from harness.cli.app import run
from harness.workloads import data_root, load

STUDY = """\
study: tiny
question: Does the activation matter?
workload:
  data: digits
  model: {name: mlp, depth: 1, width: 8, activation: relu}
  optimizer: {name: adam, lr: 1e-2}
  epochs: 3
  batch_size: 128
factors:
  activation: {path: model.activation, levels: [relu, sigmoid]}
arms:
  linear: {model.depth: 0}
search:
  space: {optimizer.lr: {log: [1e-3, 1e-1]}}
  candidates: 2
seeds: 5
claims:
  - id: relu-beats-sigmoid
    says: ReLU beats sigmoid
    metric: test.accuracy
    contrast: {activation: [relu, sigmoid]}
    greater_by: 0.01
"""
PATIENCE = 60_000.0
"""Milliseconds that a page may take on a busy machine."""
NOT_OURS = ("users/current", "ResizeObserver", "AG Grid")
"""What MLflow's own pages complain about by themselves."""

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.fixture(scope="module")
def ran(tmp_path_factory, template):
    """A folder with a finished study, its mirror, and two registered networks."""
    folder = tmp_path_factory.mktemp("shown")
    with_database(folder / "results", template)
    (folder / "tiny.yaml").write_text(STUDY)
    where = ["--results", str(folder / "results")]
    out = ["--out", str(folder / "reports")]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("harness.report.view.draw", lambda *_: [])
        assert run(["run", str(folder / "tiny.yaml"), "--in-process", *out, *where]) == 0
        yield folder


@pytest.fixture(scope="module")
def models(ran):
    """What `harness models` said of two arms that it was asked to register."""
    said = io.StringIO()
    arms = ["--arm", "relu", "--arm", "linear"]
    with contextlib.redirect_stdout(said):
        results = ["--results", str(ran / "results")]
        assert run(["models", "tiny", *arms, "--register", "--json", *results]) == 0
    return json.loads(said.getvalue())


@pytest.fixture(scope="module")
def address(ran, models):
    server = Server(ran / "results")
    yield server.start().uri
    server.stop()


@pytest.fixture
def page(browser, address):
    """An empty page; at the end nothing of ours may have gone wrong in it."""
    complaints = []

    def note(message):
        text = f"{message.text} {message.location}"
        if message.type == "error" and not any(known in text for known in NOT_OURS):
            complaints.append(text)

    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE)
    context.on("console", note)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield opened
    folder = os.environ.get("HARNESS_SCREENSHOTS")
    if folder:
        opened.screenshot(path=f"{folder}/{os.environ['PYTEST_CURRENT_TEST'].split()[0][-30:]}.png")
    context.close()
    assert complaints == []


def experiment(ran):
    return client(f"sqlite:///{ran}/results/mlflow.db").get_experiment_by_name("tiny")


def links(ran):
    """Return the links of the experiment's description by what they say."""
    note = experiment(ran).tags["mlflow.note.content"]
    return dict(re.findall(r"\[([^]]+)\]\((#[^)]+)\)", note))


def test_the_description_leads_to_the_arms_with_the_means_of_all_their_seeds(page, address, ran):
    number = experiment(ran).experiment_id
    page.goto(f"{address}/#/experiments/{number}/runs?workflowType=machine_learning")
    page.get_by_text("Does the activation matter?").first.wait_for()
    page.locator("[data-component-id='mlflow.experiment.metadata_editor.expand_button']").click()
    page.get_by_text("ReLU beats sigmoid").wait_for()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Arms of profile default").click()
    arms = opened.value
    arms.set_default_timeout(PATIENCE)
    for arm in ("relu", "sigmoid", "linear"):
        arms.get_by_role("link", name=arm, exact=True).first.wait_for()


def test_the_run_of_an_arm_says_what_its_records_say(ran):
    store = client(f"sqlite:///{ran}/results/mlflow.db")
    children = runs(store, "tiny")
    number = experiment(ran).experiment_id
    arms = {run.info.run_name: run for run in store.search_runs([number], "tags.role = 'arm'")}
    assert {"relu", "sigmoid", "linear"} <= set(arms)
    for name, summed in arms.items():
        mine = [
            child.data.metrics["test/accuracy"]
            for child in children
            if child.data.tags["arm"] == name and child.data.tags["phase"] == "confirmation"
        ]
        assert summed.data.metrics["test/accuracy"] == pytest.approx(np.mean(mine))
        assert summed.data.metrics["seeds/complete"] == len(mine)
        low, high = (summed.data.metrics[f"interval/{end}"] for end in ("low", "high"))
        assert low <= np.mean(mine) <= high <= 1.0
    assert arms["relu"].data.params["activation"] == "relu"
    assert arms["relu"].data.tags["claims"].startswith("relu-beats-sigmoid: ")
    [claim] = store.search_runs([number], "tags.role = 'claim'")
    assert claim.data.tags["says"] == "ReLU beats sigmoid"


def test_a_run_has_curves_its_data_set_and_its_parent(page, address, ran, models):
    store = client(f"sqlite:///{ran}/results/mlflow.db")
    model = store.get_logged_model(models[0]["model"].removeprefix("models:/"))
    number = experiment(ran).experiment_id
    page.goto(f"{address}/#/experiments/{number}/runs/{model.source_run_id}")
    page.get_by_role("link", name=re.compile("^tiny default")).wait_for()
    page.get_by_text("digits").first.wait_for()
    page.get_by_role("link", name="relu", exact=True).first.wait_for()
    page.get_by_role("tab", name="Model metrics").click()
    page.get_by_test_id("experiment-view-compare-runs-section-header").first.wait_for()
    page.locator(".js-plotly-plot").first.wait_for()


def test_the_execution_shows_how_busy_the_machine_was(ran):
    [parent] = runs(client(f"sqlite:///{ran}/results/mlflow.db"), "tiny", children=False)
    assert 0 <= parent.data.metrics["system/cpu_utilization_percentage"] <= 100
    assert parent.data.metrics["cost/worker_seconds"] > 0


def test_the_report_opens_among_the_artifacts(page, address, ran):
    page.goto(f"{address}/{links(ran)['The report of profile default']}")
    frame = page.frame_locator("iframe").first
    frame.get_by_role("heading", name="Does the activation matter?").wait_for()


def test_networks_are_among_the_models_and_in_the_registry(page, address, ran):
    number = experiment(ran).experiment_id
    page.goto(f"{address}/#/experiments/{number}/models?workflowType=machine_learning")
    page.get_by_role("link", name="linear", exact=True).first.wait_for()
    page.get_by_role("link", name="relu", exact=True).first.click()
    page.get_by_text("Model ID").first.wait_for()
    page.goto(f"{address}/#/models/tiny?workflowType=machine_learning")
    page.get_by_text("@ linear").or_(page.get_by_text("linear")).first.wait_for()


def test_a_network_is_loaded_and_predicts_as_its_record_says(ran, models):
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{ran}/results/mlflow.db")
    store = client(f"sqlite:///{ran}/results/mlflow.db")
    data = load({"name": "digits", "validation_fraction": 0.2}, data_root())
    for said in models:
        model = mlflow.pyfunc.load_model(said["registered"])
        probabilities = model.predict(data.test.inputs)
        assert probabilities.shape == (len(data.test.inputs), 10)
        assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(probabilities)), abs=1e-5)
        logged = store.get_logged_model(said["model"].removeprefix("models:/"))
        recorded = store.get_run(logged.source_run_id).data.metrics["test/accuracy"]
        found = (probabilities.argmax(axis=1) == data.test.targets).mean()
        assert found == pytest.approx(recorded, abs=0.005)
        signature = model.metadata.signature
        assert signature.inputs.inputs[0].shape == (-1, *data.form.shape)
        assert model.metadata.saved_input_example_info is not None


def test_a_network_that_is_there_is_not_logged_twice(ran, models, capsys):
    results = ["--results", str(ran / "results")]
    assert run(["models", "tiny", "--arm", "relu", "--json", *results]) == 0
    assert json.loads(capsys.readouterr().out)[0]["model"] == models[0]["model"]


def test_a_run_logs_the_networks_that_are_missing(ran, models, capsys, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    mlflow.set_tracking_uri("http://127.0.0.1:1")
    where = ["--results", str(ran / "results"), "--out", str(ran / "reports")]
    again = ["run", str(ran / "tiny.yaml"), "--in-process", "--models", *where]
    assert run([*again, "--json"]) == 0
    assert mlflow.get_tracking_uri() == "http://127.0.0.1:1", "a notebook keeps its own"
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    logged = {
        model["arm"]: model["model"] for model in json.loads(capsys.readouterr().out)["models"]
    }
    assert set(logged) == {"relu", "sigmoid", "linear"}
    assert {model["arm"]: model["model"] for model in models}.items() <= logged.items()
    store = client(f"sqlite:///{ran}/results/mlflow.db")
    assert len(store.search_logged_models([experiment(ran).experiment_id])) == 3
    assert run(again) == 0
    assert f"model: sigmoid: {logged['sigmoid']} (was there)" in capsys.readouterr().out


def test_what_mlflow_lacks_is_said(ran, tmp_path, template, capsys):
    elsewhere = with_database(tmp_path / "results", template)
    where = ["--results", str(ran / "results")]
    uri = ["--tracking-uri", f"sqlite:///{elsewhere}/mlflow.db"]
    assert run(["models", "tiny", *where, *uri]) == 1
    said = capsys.readouterr().out
    assert said.startswith("relu: not logged, nor what follows: MLflow has no experiment 'tiny'")


def test_what_is_not_there_is_named(ran, capsys):
    results = ["--results", str(ran / "results")]
    assert run(["models", "tiny", "--arm", "rellu", *results]) == 2
    assert "did you mean 'relu'?" in capsys.readouterr().err
    assert run(["models", "tini", *results]) == 2
    assert "did you mean 'tiny'?" in capsys.readouterr().err
