"""A finished study is run again without doing anything; whatever has changed, it is done."""

import json
import shutil
import sqlite3
import subprocess
import sys

import pytest

from harness.report import build_scoreboard
from harness.run import finished
from harness.run.conductor import RunOptions, run_study
from harness.run.observer import Observer
from harness.run.prepare import count_done, prepare
from harness.run.reports import refresh_scoreboard
from harness.store import open_store
from harness.store.checksums import COVERED, checksum
from harness.study import load_study
from harness.track import Mirror
from harness.workloads import data_root

FAST = ["workload.epochs=1", "search.candidates=2"]


class Told(Observer):
    """Counts what it is told, and may lack something."""

    def __init__(self, lacking=False):
        self.lacking, self.trials, self.unchanged_runs = lacking, 0, 0
        self.closing = None

    def finished(self, record, assignments, reused):
        self.trials += len(assignments)

    def closed(self, closing):
        self.closing = closing

    def lacks(self, study, execution, trial_ids):
        self.asked = (study, len(trial_ids))
        return self.lacking

    def unchanged(self, opening, closing):
        self.unchanged_runs += 1
        self.closing = closing


@pytest.fixture
def again(tiny, tmp_path, monkeypatch):
    """Run the study once, in a folder of its own; return a function that runs it again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_DATA", raising=False)

    def run(*overrides, told=None, profile=None, file=tiny):
        observers = [] if told is None else [told]
        options = RunOptions(tmp_path / "results", tmp_path / "reports", in_process=True)
        return run_study(load_study(file, profile, [*FAST, *overrides]), options, observers)

    run.first = run()
    return run


def executions(tmp_path):
    return len(open_store(tmp_path / "results").executions())


def test_nothing_is_done_twice_and_the_same_is_said(again, tmp_path):
    told = Told()
    before = (tmp_path / "reports" / "tiny" / "index.html").stat().st_mtime_ns
    result = again(told=told)
    assert executions(tmp_path) == 1
    assert (told.trials, told.unchanged_runs) == (0, 1)
    assert told.asked == ("tiny", 33)
    assert (result.counts["reused"], result.counts["complete"]) == (33, 0)
    assert result.verdicts == again.first.verdicts
    assert result.kept() == again.first.kept()
    assert told.closing.verdicts == result.verdicts
    assert result.report == again.first.report
    assert (tmp_path / "reports" / "tiny" / "index.html").stat().st_mtime_ns == before


def test_the_outlook_of_a_finished_study_is_the_same_without_a_walk(again, tiny, tmp_path):
    loaded = load_study(tiny, None, FAST)
    plan = prepare(loaded, data_root(None))
    store = open_store(tmp_path / "results")
    known = finished.look_ahead(plan, store, str(tiny))
    assert known == count_done(plan, store)
    assert (known.to_run, sum(known.done.values())) == (0, 33)
    with sqlite3.connect(tmp_path / "results" / "harness.db") as db:
        db.execute("DELETE FROM records WHERE trial_id = (SELECT min(trial_id) FROM records)")
    left = finished.look_ahead(plan, store, str(tiny))
    assert left.to_run > 0
    assert left.seconds > 0


def test_an_observer_that_lacks_something_is_told_all(again, tmp_path):
    told = Told(lacking=True)
    assert again(told=told).counts["reused"] == 33
    assert (told.trials, told.unchanged_runs, executions(tmp_path)) == (33, 0, 2)


def touched_page(tmp_path):
    (tmp_path / "reports" / "tiny" / "report.md").write_text("nothing")


def deleted_report(tmp_path):
    shutil.rmtree(tmp_path / "reports")


def deleted_figure(tmp_path):
    next((tmp_path / "reports" / "tiny" / "figures").rglob("*.png")).unlink()


def new_comment_in_the_study_file(tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(file.read_text() + "# a thought\n")


def published_file(tmp_path):
    from harness.publish import write_file

    store = open_store(tmp_path / "results")
    execution = store.executions()[0]
    write_file(store, execution, tmp_path / "results" / "published")


@pytest.mark.parametrize(
    "change",
    [
        touched_page,
        deleted_report,
        deleted_figure,
        new_comment_in_the_study_file,
        published_file,
    ],
)
def test_the_report_is_made_again_when_it_would_differ(again, tmp_path, change):
    change(tmp_path)
    assert again().counts["reused"] == 33
    assert executions(tmp_path) == 2
    assert "supported" in (tmp_path / "reports" / "tiny" / "report.md").read_text()
    again()
    assert executions(tmp_path) == 2


def test_a_missing_record_is_trained_again(again, tmp_path):
    with sqlite3.connect(tmp_path / "results" / "harness.db") as db:
        db.execute("DELETE FROM records WHERE trial_id = (SELECT min(trial_id) FROM records)")
    assert again().counts["complete"] == 1
    assert again().counts["reused"] == 33


def test_a_failed_trial_is_tried_again(again, tmp_path):
    with sqlite3.connect(tmp_path / "results" / "harness.db") as db:
        db.create_function("checksum", -1, checksum)
        db.execute(
            "UPDATE records SET state = 'failed', record = json_set(record, '$.state', 'failed')"
            " WHERE trial_id = (SELECT min(trial_id) FROM records)"
        )
        values = ", ".join(f"CAST({name} AS BLOB)" for name in COVERED["records"])
        db.execute(f"UPDATE records SET checksum = checksum({values})")
    assert again().counts["complete"] == 1


@pytest.mark.parametrize("status", ["interrupted", "failed", "running"])
def test_an_execution_that_did_not_finish_goes_on(again, tmp_path, status):
    with sqlite3.connect(tmp_path / "results" / "harness.db") as db:
        db.execute("UPDATE executions SET status = ?", [status])
    again()
    assert executions(tmp_path) == 2


def test_other_settings_profiles_data_and_code_are_other_runs(again, tmp_path, monkeypatch):
    assert again("seeds=6").counts["complete"] == 5
    assert again().counts["reused"] == 33  # the newest execution is another one
    assert executions(tmp_path) == 3
    monkeypatch.setattr(finished, "package_version", lambda: "another")
    again()
    assert executions(tmp_path) == 4
    monkeypatch.setattr("harness.run.prepare.fingerprint", lambda *_: "changed")
    assert again().counts["reused"] == 33  # the data themselves, once read, are what they were
    assert executions(tmp_path) == 5


def test_a_report_of_two_profiles_stands_for_both(again, tmp_path):
    more = again(profile="more")
    assert more.counts["complete"] > 0
    assert again().verdicts == again.first.verdicts
    assert again(profile="more").kept() == more.kept()
    assert executions(tmp_path) == 2


def test_a_search_over_what_comes_from_elsewhere_is_walked(tiny):
    from harness.plan import make_plan

    def found(*overrides):
        loaded = load_study(tiny, None, overrides)
        plan = make_plan(loaded.study, loaded.arms)
        configs = finished.data_configs(plan)
        plan = make_plan(loaded.study, loaded.arms, fingerprints=dict.fromkeys(configs, "x"))
        return finished.identity(plan, "tiny.yaml")

    assert found()
    assert found("search.space={model.activation: {choice: [relu, tanh]}}")
    named = "search.space={model.name: {choice: [mlp, 'mlp']}}"
    assert not found(named.replace("[mlp, 'mlp']", "[mlp]"))


def test_sequential_seeds_and_pretraining_are_known_again(again, tmp_path):
    settings = (
        "seeds={start: 5, step: 1, max: 6}",
        "pretraining={base: {}}",
        "arms={started: {transfer: {from: base}}}",
    )
    first = again(*settings)
    second = again(*settings)
    assert second.counts["reused"] == sum(first.counts.values())
    assert second.verdicts == first.verdicts
    assert executions(tmp_path) == 2
    with sqlite3.connect(tmp_path / "results" / "harness.db") as db:
        db.execute("DELETE FROM weights")
    assert again(*settings).counts["complete"] == 1  # a stage without weights is trained again


@pytest.mark.slow
def test_the_command_starts_nothing_that_trains_judges_or_draws(tiny, tmp_path):
    code = (
        "import json, sys\n"
        "from harness.cli.app import run\n"
        "status = run(sys.argv[1:])\n"
        "print(json.dumps([status, sorted(sys.modules)]), file=sys.stderr)\n"
    )
    sets = [part for override in FAST for part in ("--set", override)]
    arguments = ["run", str(tiny), *sets, "--in-process", "--json"]

    def command():
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments,
             "--results", str(tmp_path / "results"), "--out", str(tmp_path / "reports")],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        status, modules = json.loads(done.stderr.splitlines()[-1])
        assert status == 0
        return json.loads(done.stdout), {name.partition(".")[0] for name in modules}

    first, _ = command()
    second, modules = command()
    slow = {"torch", "ray", "mlflow", "optuna", "pandas", "sklearn", "scipy", "matplotlib"}
    assert not slow & modules
    assert second["claims"] == first["claims"]
    assert second["trials"]["reused"] == first["trials"]["complete"] == 33
    check_holdings(tmp_path / "results")


def check_holdings(results):
    """The mirror's cheap question is answered by what is there: trials, parent run and report."""
    ids = list(open_store(results).states())
    mirror = Mirror(None, results)
    assert mirror.holds("tiny", "1", ids)
    assert not mirror.holds("tiny", "1", [*ids, "0123456789abcdef"])
    assert not mirror.holds("tiny", "2", ids)
    assert not mirror.holds("another", "1", ids)
    assert not Mirror("http://127.0.0.1:1", results).holds("tiny", "1", ids)
    with sqlite3.connect(results / "mlflow.db") as db:
        db.execute(
            "UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid ="
            " (SELECT run_uuid FROM tags WHERE key = 'trial_id' LIMIT 1)"
        )
    assert not mirror.holds("tiny", "1", ids)
    with sqlite3.connect(results / "mlflow.db") as db:
        db.execute("UPDATE runs SET lifecycle_stage = 'active'")
    assert mirror.holds("tiny", "1", ids)
    shutil.rmtree(results / "mlartifacts")
    assert not mirror.holds("tiny", "1", ids)
    (results / "mlflow.db").unlink()
    assert not mirror.holds("tiny", "1", ids)


def test_the_scoreboard_is_made_again_only_if_it_would_differ(again, tmp_path, monkeypatch):
    made = []

    def build(*arguments, **more):
        made.append(arguments)
        return build_scoreboard(*arguments, **more)

    monkeypatch.setattr("harness.report.build_scoreboard", build)
    out = tmp_path / "reports"
    for count, change in [
        (1, lambda: None),
        (1, lambda: None),
        (2, (out / "index.html").unlink),
        (3, lambda: again("seeds=6")),
        (3, lambda: None),
    ]:
        change()
        refresh_scoreboard(tmp_path / "results", out)
        assert len(made) == count
        assert (out / "index.html").is_file()
