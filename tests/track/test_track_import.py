"""Claims are judged over runs that plain MLflow code logged; what does not fit is told."""

import json
import shutil
import sqlite3

import mlflow
import pytest
import yaml

from harness import api
from harness.cli.app import run
from harness.store import open_store
from harness.study import InputError, load_study

STUDY = {
    "study": "theirs",
    "question": "Does ReLU beat tanh?",
    "workload": {
        "training": {
            "name": "mlflow",
            "experiment": "good",
            "metrics": {"test.accuracy": "test/acc", "validation.accuracy": "val_acc"},
        }
    },
    "factors": {"activation": {"path": "training.params.net.act", "levels": ["relu", "tanh"]}},
    "seeds": 6,
    "claims": [
        {"id": "relu-wins", "says": "ReLU beats tanh", "metric": "test.accuracy",
         "contrast": {"activation": ["relu", "tanh"]}, "greater_by": 0.02},
    ],
}  # fmt: skip
SEEDS = [1, 2, 7, 10, 42, 100]
NOISE = [0.004, -0.003, 0.001, 0.002, -0.004, 0.0]


def log(experiment, activation, seed, noise, *, status="FINISHED", more=None, **metrics):
    """Log a run as anybody would."""
    with mlflow.start_run(experiment_id=experiment, run_name=f"{activation}-{seed}") as active:
        mlflow.log_params({"net.act": activation, "depth": 2, **(more or {})})
        if seed is not None:
            mlflow.log_param("seed", seed)
        level = {"relu": 0.9, "tanh": 0.8}.get(activation, 0.5) + noise
        for step in range(3):
            mlflow.log_metric("val_acc", level - 0.2 / (step + 1), step=step)
        mlflow.log_metrics({"test/acc": level, **metrics} if metrics != {"none": 0} else {})
    mlflow.MlflowClient().set_terminated(active.info.run_id, status)


pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def uri(tmp_path_factory, template):
    """A store with experiments of every kind."""
    database = tmp_path_factory.mktemp("theirs") / "mlflow.db"
    shutil.copy(template, database)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{database}")
    good, double, seedless, ragged = map(
        mlflow.create_experiment, ("good", "double", "seedless", "ragged")
    )
    for activation, shift in (("relu", 1), ("tanh", 3)):
        for seed, noise in zip(SEEDS, NOISE, strict=True):
            log(good, activation, seed, noise * shift)
            log(double, activation, seed % 2, noise)
            log(seedless, activation, None, noise, more={"random_seed": seed})
            if (activation, seed) != ("tanh", 42):
                kind = {7: {"test/acc": float("nan")}, 10: {"none": 0}}.get(seed, {})
                log(ragged, activation, seed, noise, **kind)
    uneven = mlflow.create_experiment("uneven")
    for seed, noise in zip(SEEDS, NOISE, strict=True):
        for activation, rate in (("relu", 0.1), ("relu", 0.01), ("tanh", 0.01)):
            more = {"lr": rate, "folder": f"runs/{activation}/{rate}/{seed}"}
            log(uneven, activation, seed, noise, more=more)
    log(good, "gelu", 1, 0)
    log(good, "relu", 1, 0, status="FAILED")
    yield f"sqlite:///{database}"
    mlflow.set_tracking_uri(before)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def of(experiment="good", **changes):
    changed = json.loads(json.dumps(STUDY))
    changed["workload"]["training"]["experiment"] = experiment
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = changed
        for part in parents:
            node = node[part]
        node[last] = value
    return changed


def test_a_claim_over_logged_runs_is_supported(place, uri, capsys):
    (place / "theirs.yaml").write_text(yaml.safe_dump(STUDY))
    assert run(["import-mlflow", "theirs.yaml", "--tracking-uri", uri]) == 0
    said = capsys.readouterr().out
    assert "12 complete" in said
    assert "supported" in said
    assert "1 run of the experiment is not finished and left out: 'relu-1'" in said
    assert "1 run of the experiment is of no arm and left out: 'gelu-1'" in said
    again = api.import_mlflow("theirs.yaml", uri)
    assert again.counts["reused"] == 12
    (verdict,) = again.verdicts
    assert verdict.verdict == "supported"
    paired = [0.1 - 2 * noise for noise in NOISE]
    assert verdict.effect == pytest.approx(sum(paired) / 6)
    assert again.evidence.set_index(["arm", "seed"]).loc[("tanh", 4), "test.accuracy"] == (
        pytest.approx(0.8 - 0.012)
    )  # the fifth seed, 42
    assert list(again.curves.query("arm == 'relu' and seed == 0")["epoch"]) == [1, 2, 3]
    page = (place / "reports" / "theirs" / "report.md").read_text()
    assert "Runs trained elsewhere, imported from MLflow" in page
    assert "imported" in (place / "reports" / "index.md").read_text()


def test_imported_runs_are_never_taken_for_trials_of_this_machine(place, uri, capsys):
    (place / "theirs.yaml").write_text(yaml.safe_dump(STUDY))
    api.import_mlflow("theirs.yaml", uri)
    store = open_store(place / "results")
    records = [item.record for item in store.assigned_records(1)]
    assert len({record.trial_id for record in records}) == 12
    assert {record.trial.code_version for record in records} == {"imported from MLflow"}
    assert records[0].trial.workload["run"]["seed"] == "1"
    for command, says in [
        (["run", "theirs.yaml"], "trained elsewhere; `harness import-mlflow`"),
        (["plan", "theirs.yaml"], "trained elsewhere"),
        (["trial", records[0].trial_id, "--replay"], "is the run 'relu-1' of MLflow"),
        (["models", "theirs"], "trained elsewhere, by other code"),
        (["card", "theirs"], "trained elsewhere"),
    ]:
        assert run(command) == 2, command
        assert says in capsys.readouterr().err
    assert run(["publish", "theirs"]) == 0
    shutil.rmtree(place / "reports")
    (place / "results" / "harness.db").unlink()
    assert run(["report"]) == 0
    assert "MLflow experiment good" in (place / "reports/theirs/report.md").read_text()


def test_what_runs_lack_is_no_number(place, uri):
    result = api.import_mlflow(of("ragged"), uri)
    assert result["relu-wins"].verdict == "incomplete"
    assert (result.counts["diverged"], result.counts["failed"]) == (0, 2)
    reasons = set(result.trials["reason"])
    lacking = result.trials[(result.trials["seed"] == 2) & (result.trials["state"] == "complete")]
    assert lacking["test.accuracy"].isna().all()  # not a number is no number
    assert any("'relu-10'" in r and "has no metric 'test/acc'" in r for r in reasons)
    assert "There is no finished run of tanh with seed 42." in result.integrity["imported"]


BAD = [
    (of("godo"), "no run in an experiment 'godo'; did you mean 'good'"),
    (of("double"), r"'relu-1' .* and 'relu-1' .* are both of arm relu with seed 1; delete"),
    (of("seedless"), "'relu-None' .* of arm relu has no parameter 'seed'.*'random_seed'"),
    (of(seeds=8), r"seeds: the runs have 6 seeds \(1, 2, 7, 10, 42 and 100\), not 8"),
    (of(factors__activation__levels=["relu", "tahn"], claims=[]),
     "no finished run has net.act = tahn .*; did you mean 'tanh'"),
    (of(factors__activation__path="training.params.net.atc"),
     "no finished run has the parameter 'net.atc'; did you mean 'net.act'"),
    (of(workload__training__params={"depth": 3}), r"depth = 3 \(there are: 2\)"),
    (of(workload__training__metrics={"test.accuracy": "test_acc"}),
     "no run has the metric 'test_acc'; did you mean 'test/acc'"),
    (of(arms={"mine": {"training.params.depth": 2, "training.params.net.act": "relu"}}),
     "fits the arms relu and mine"),
    ("activations", "only a study with `training: {name: mlflow"),
]  # fmt: skip


@pytest.mark.parametrize(("study", "says"), BAD, ids=[says[:25] for _, says in BAD])
def test_what_does_not_fit_is_told_and_nothing_is_written(place, uri, study, says):
    with pytest.raises(InputError, match=says):
        api.import_mlflow(study, uri)
    assert not (place / "results").exists()


def test_the_store_is_named_without_its_secrets_and_left_alone(place, monkeypatch):
    (place / "empty.db").touch()
    sqlite3.connect(place / "other.db").execute("CREATE TABLE t (x)").connection.close()
    (place / "mlruns").mkdir()
    for address, says in [
        ("http://me:secret@127.0.0.1:9", "cannot reach 127.0.0.1 port 9"),
        ("postgres://me:secret@host/db", "did you mean postgresql"),
        ("sqlite:///nowhere.db", "there is no database"),
        ("sqlite:///empty.db", "is no database of MLflow"),
        ("sqlite:///other.db", "is no database of MLflow"),
        ("mlruns", "mlflow migrate-filestore"),
        (None, "or set MLFLOW_TRACKING_URI"),
    ]:
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with pytest.raises(InputError, match=says) as error:
            api.import_mlflow(STUDY, address)
        assert "secret" not in str(error.value)
    assert (place / "empty.db").stat().st_size == 0
    assert not (place / "nowhere.db").exists()


def test_a_study_is_drafted_from_the_runs(place, uri, capsys):
    new = ["new", "drafted", "--tracking-uri", uri, "--experiment"]
    assert run([*new, "ragged"]) == 0
    text = (place / "studies" / "drafted.yaml").read_text()
    assert "act: {path: training.params.net.act, levels: [relu, tanh]}" in text
    assert 'test.accuracy: "test/acc"' in text
    assert run(["import-mlflow", "studies/drafted.yaml", "--tracking-uri", uri]) == 0
    for wrong, says in [
        (["godo"], "did you mean 'good'"),
        (["good", "--vary", "net.atc"], "did you mean 'net.act'"),
        (["good", "--metric", "test_acc"], "did you mean 'test/acc'"),
        (["good", "--seeds", "6"], "found out from the runs"),
    ]:
        assert run(["new", "other", "--tracking-uri", uri, "--experiment", *wrong]) == 2
        assert says in capsys.readouterr().err


def test_a_draft_has_the_arms_that_have_runs(place, uri, capsys):
    new = ["new", "--tracking-uri", uri, "--experiment", "uneven"]
    assert run([*new, "drafted"]) == 0
    drafted = load_study(place / "studies" / "drafted.yaml")
    assert [arm.name for arm in drafted.arms] == ["relu-0.01", "relu-0.1", "tanh-0.01"]
    assert "differ in folder" in (place / "studies" / "drafted.yaml").read_text()
    assert run(["import-mlflow", "studies/drafted.yaml", "--tracking-uri", uri]) == 0
    said = capsys.readouterr().out
    assert "18 complete" in said
    assert "Runs of one arm differ in more than their seed (folder, as in relu-0.01)" in said
    assert run([*new, "one", "--vary", "lr"]) == 0
    assert load_study(place / "studies" / "one.yaml").study.workload.training.params == {
        "net.act": "relu"
    }
