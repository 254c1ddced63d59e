"""Claims are judged over runs in tables, Optuna and TensorBoard, as these tools write them."""

import csv
import json
import random

import optuna
import pandas as pd
import pytest
import yaml
from tensorboardX import SummaryWriter

from harness import api
from harness.cli.app import run
from harness.study import InputError

STUDY = {
    "study": "tabled",
    "question": "Does ReLU beat tanh?",
    "workload": {
        "training": {
            "name": "logged",
            "seed": "random_state",
            "metrics": {"test.accuracy": "test_acc", "validation.loss": "val_loss"},
        }
    },
    "factors": {"activation": {"path": "training.params.activation", "levels": ["relu", "tanh"]}},
    "seeds": 6,
    "claims": [
        {"id": "relu-wins", "says": "ReLU beats tanh", "metric": "test.accuracy",
         "contrast": {"activation": ["relu", "tanh"]}, "greater_by": 0.02},
    ],
}  # fmt: skip
SEEDS = [3, 7, 11, 19, 23, 42]


def luck(*names):
    return random.Random(str(names)).uniform(-0.01, 0.01)


def rows(epochs=0):
    """A row for each run, or for each epoch of a run."""
    found = []
    for activation, skill in (("relu", 0.9), ("tanh", 0.8)):
        for seed in SEEDS:
            told = {"activation": activation, "random_state": seed, "lr": 0.1, "deep": True}
            score = skill + luck(activation, seed)
            if not epochs:
                found.append({**told, "test_acc": score, "val_loss": 1 - score})
            for epoch in range(epochs):
                last = epoch == epochs - 1
                found.append({"name": f"{activation}{seed}", **told, "epoch": epoch,
                              "speed": random.Random(epoch).random(),
                              "test_acc": score if last else None,
                              "val_loss": 1 - score + 1 / (epoch + 1)})  # fmt: skip
    return found


EFFECT = sum(0.1 + luck("relu", seed) - luck("tanh", seed) for seed in SEEDS) / 6


def of(**changes):
    training = STUDY["workload"]["training"] | changes
    return {**STUDY, "workload": {"training": training}}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def by_csv(file, told, **options):
    with file.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, list(told[0]), **options)
        writer.writeheader()
        writer.writerows(told)


def by_pandas(file, told):
    frame = pd.DataFrame(told)
    if file.suffix == ".parquet":
        frame.to_parquet(file)
    elif file.suffix == ".jsonl":
        frame.to_json(file, orient="records", lines=True)
    else:
        frame.to_csv(file, index=False)


WRITERS = {
    "runs.csv": by_csv,
    "semicolons.csv": lambda file, told: by_csv(file, told, delimiter=";"),
    "pandas.csv": by_pandas,
    "pandas.jsonl": by_pandas,
    "pandas.parquet": by_pandas,
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("epochs", [0, 3])
def test_a_claim_is_judged_over_a_table(place, name, epochs):
    WRITERS[name](place / name, rows(epochs))
    study = of(epoch="epoch", run="name") if epochs else of()
    done = api.import_runs(study, name)
    assert done["relu-wins"].verdict == "supported"
    assert done["relu-wins"].effect == pytest.approx(EFFECT)
    assert done.counts["complete"] == 12
    curves = done.curves
    assert len(curves) == 12 * epochs
    if epochs:
        assert list(curves.query("arm == 'relu' and seed == 0")["epoch"]) == [1, 2, 3]
    assert "cost.seconds" not in done.trials  # a table has no clock


def test_the_command_and_the_page_name_the_file(place, capsys):
    by_csv(place / "runs.csv", rows())
    (place / "tabled.yaml").write_text(yaml.safe_dump(STUDY))
    assert run(["import", "tabled.yaml", "runs.csv"]) == 0
    assert "supported" in capsys.readouterr().out
    page = (place / "reports" / "tabled" / "report.md").read_text()
    assert "imported from the file “runs.csv”: how they were tuned" in page
    assert "harness import tabled.yaml runs.csv" in page
    assert "MLflow" not in page.partition("## ")[0]
    assert run(["plan", "tabled.yaml"]) == 2
    assert "`harness import` reads and judges them" in capsys.readouterr().err
    (place / "runs.csv").rename(place.parent / "runs.csv")
    again = api.import_runs("tabled.yaml", str(place.parent / "runs.csv"))
    assert again.counts["reused"] == 12
    assert str(place.parent) not in (place / "reports" / "tabled" / "report.md").read_text()


@pytest.mark.parametrize("epochs", [0, 3])
def test_a_study_is_drafted_from_a_table(place, capsys, epochs):
    told = [{k: v for k, v in row.items() if k != "speed"} for row in rows(epochs)]
    by_csv(place / "runs.csv", told)
    assert run(["new", "drafted", "--from", "runs.csv"]) == 0
    text = (place / "studies" / "drafted.yaml").read_text()
    assert ("epoch: epoch" in text) is bool(epochs)
    assert "activation: {path: training.params.activation, levels: [relu, tanh]}" in text
    assert run(["import", "studies/drafted.yaml", "runs.csv"]) == 0
    assert "12 complete" in capsys.readouterr().out
    for wrong, says in ((["--vary", "activatoin"], "did you mean 'activation'"),
                        (["--metric", "test_ac"], "did you mean 'test_acc'"),
                        (["--seeds", "6"], "found out from the runs")):  # fmt: skip
        assert run(["new", "other", "--from", "runs.csv", *wrong]) == 2
        assert says in capsys.readouterr().err
    assert run(["new", "other", "--from", "run.csv"]) == 2
    assert "--from: 'run.csv' cannot be read" in capsys.readouterr().err


def test_what_is_not_a_number_is_no_number(place):
    told = rows()
    told[0]["val_loss"] = float("nan")
    told[1]["test_acc"] = ""
    by_csv(place / "runs.csv", told)
    done = api.import_runs(STUDY, "runs.csv")
    assert (done.counts["diverged"], done.counts["failed"]) == (1, 1)
    assert done["relu-wins"].verdict == "incomplete"


def without(told, name):
    return [{key: value for key, value in row.items() if key != name} for row in told]


BAD = [
    ("no seed", STUDY, without(rows(), "random_state"), "has no parameter 'random_state'"),
    ("twice", STUDY, [*rows(), rows()[0]], "'row 1' .* and 'row 13' .* are both of arm relu"),
    ("epochs", STUDY, rows(3), "if there is a row for each epoch, name its column"),
    ("two of an epoch", of(epoch="epoch", run="activation"), rows(2), "a second one of epoch 0"),
    ("no column", of(epoch="epohc"), rows(2), "no column 'epohc' .*; did you mean 'epoch'"),
    ("runs", of(run="activation"), rows(), "the rows 1 and 2 are of one run, 'relu'"),
    ("text", STUDY, [{**row, "test_acc": "good"} for row in rows()], "'good', which is no number"),
    ("metric", of(metrics={"test.accuracy": "tset_acc"}), rows(), "did you mean 'test_acc'"),
    ("seeds", {**STUDY, "seeds": 8}, rows(), "the runs have 6 seeds"),
]


@pytest.mark.parametrize(("study", "told", "says"), [bad[1:] for bad in BAD],
                         ids=[bad[0] for bad in BAD])  # fmt: skip
def test_rows_that_do_not_fit_are_told(place, study, told, says):
    by_csv(place / "runs.csv", told)
    with pytest.raises(InputError, match=says):
        api.import_runs(study, "runs.csv")
    assert not (place / "results").exists()


def test_rows_that_are_no_repetitions_and_no_pairs_are_told(place):
    told = rows()
    for row in told[:6]:
        row["lr"] = row["random_state"] / 100
    by_csv(place / "runs.csv", told)
    (told_of,) = api.import_runs(STUDY, "runs.csv").integrity["imported"][1:]
    assert "Runs of one arm differ in more than their seed (lr, as in relu)" in told_of
    told = sorted(rows(), key=lambda row: row["test_acc"])
    for place_, row in enumerate(told):
        row["random_state"] = place_ % 6
    by_csv(place / "sorted.csv", told)
    notes = api.import_runs(STUDY, "sorted.csv").integrity["imported"]
    assert any("as if seeds had been given after sorting by it" in note for note in notes)


def test_a_storage_of_optuna_is_judged(place):
    def objective(trial):
        activation = trial.suggest_categorical("activation", ["relu", "tanh"])
        seed = trial.suggest_categorical("random_state", SEEDS)
        score = {"relu": 0.9, "tanh": 0.8}[activation] + luck(activation, seed)
        trial.set_user_attr("test_acc", score)
        for step in range(3):
            trial.report(1 - score + 1 / (step + 1), step)
        return 1 - score

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = {"activation": ["relu", "tanh"], "random_state": SEEDS}
    sampler = optuna.samplers.GridSampler(space, seed=0)
    study = optuna.create_study(storage="sqlite:///o.db", study_name="nets", sampler=sampler)
    study.optimize(objective, n_trials=12)
    mine = of(metrics={"test.accuracy": "test_acc", "validation.loss": "value"}, experiment="nets")
    done = api.import_runs(mine, "sqlite:///o.db")
    assert done["relu-wins"].effect == pytest.approx(EFFECT)
    assert list(done.curves.query("arm == 'relu' and seed == 0")["epoch"]) == [1, 2, 3]
    assert "trials of a search" in done.integrity["imported"][1]
    # the only study of a storage need not be named
    lacking = of(metrics={"test.accuracy": "test_ac"})
    for training, says in ((of(experiment="net"), "mean 'nets'"), (lacking, "mean 'test_acc'")):
        with pytest.raises(InputError, match=says):
            api.import_runs(training, "sqlite:///o.db")


def test_lines_that_are_no_rows_are_told(place):
    (place / "a.jsonl").write_text(f"{json.dumps(rows()[0])}\nno json\n")
    (place / "a.csv").write_text("activation,random_state\nrelu,1,2\n")
    (place / "a.txt").write_text("")
    for name, says in (("a.jsonl", "line 2 is no object"), ("a.csv", "row 1 has not as many"),
                       ("a.txt", "is no .csv"), ("b.csv", "No such file")):  # fmt: skip
        with pytest.raises(InputError, match=says):
            api.import_runs(STUDY, name)


@pytest.mark.parametrize("said", ["hyperparameters", "folders"])
def test_event_files_are_judged(place, said):
    for activation, skill in (("relu", 0.9), ("tanh", 0.8)):
        for seed in SEEDS:
            score = skill + luck(activation, seed)
            name = f"activation={activation},random_state={seed}"
            folder = name if said == "folders" else f"{activation}/{seed}"
            with SummaryWriter(f"logs/{folder}") as writer:
                for epoch in range(3 if (activation, seed) != ("relu", 7) else 2):
                    writer.add_scalar("val_loss", 1 - score + 1 / (epoch + 1), epoch)
                writer.add_histogram("weights", [1.0, 2.0])
                writer.add_scalar("test_acc", score)
                if said == "hyperparameters":
                    told = {"activation": activation, "random_state": seed, "lr": 0.1, "deep": True}
                    writer.add_hparams(told, {"test_acc": score})
    done = api.import_runs(
        of(params={} if said == "folders" else {"lr": 0.1, "deep": True}), "logs"
    )
    assert done["relu-wins"].effect == pytest.approx(EFFECT, abs=1e-6)  # they hold float32
    assert list(done.curves.query("arm == 'tanh' and seed == 0")["epoch"]) == [1, 2, 3]
    notes = done.integrity["imported"]
    assert any("Some runs end before others, which end at step 3" in note for note in notes)
    assert "imported from the event files of TensorBoard in “logs”" in notes[0]


def test_event_files_that_are_none_are_told(place):
    (place / "logs").mkdir()
    with pytest.raises(InputError, match=r"there are no event files of TensorBoard.* in 'logs'"):
        api.import_runs(STUDY, "logs")
    with SummaryWriter("logs/a") as writer:
        writer.add_scalar("test_acc", 0.5)
    (file,) = (place / "logs" / "a").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-3])  # as of a run that was killed: what came before is read
    with pytest.raises(InputError, match="no finished run has the parameter 'activation'"):
        api.import_runs(STUDY, "logs")
    file.write_bytes(b"no events, but something else")
    with pytest.raises(InputError, match="is no event file of TensorBoard"):
        api.import_runs(STUDY, "logs")
