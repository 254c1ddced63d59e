"""A finished study is run again without doing anything; whatever has changed, it is done."""

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sharing import TINY

from harness.cli.app import run
from harness.report import build_scoreboard
from harness.run import finished
from harness.run.observer import Observer
from harness.run.prepare import count_done, prepare
from harness.run.reports import refresh_scoreboard
from harness.run.study_run import RunOptions, run_study
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


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """Run the study once, in a folder of its own; return the folder, a copy of it, the result."""
    home = tmp_path_factory.mktemp("unchanged") / "home"
    home.mkdir()
    (home / "tiny.yaml").write_text(TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.delenv("HARNESS_DATA", raising=False)
        first = run_here()
    return home, shutil.copytree(home, home.with_name("copy")), first


def run_here(*overrides, told=None, profile=None):
    observers = [] if told is None else [told]
    options = RunOptions(Path("results").resolve(), Path("reports").resolve(), in_process=True)
    loaded = load_study(Path("tiny.yaml").resolve(), profile, [*FAST, *overrides])
    return run_study(loaded, options, observers)


@pytest.fixture
def home(once, monkeypatch):
    """The folder as it was after the first run."""
    place, copy, _ = once
    shutil.rmtree(place)
    shutil.copytree(copy, place)
    monkeypatch.chdir(place)
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    return place


@pytest.fixture
def first(once):
    """What the first run said."""
    return once[2]


@pytest.fixture
def again(home):
    """Return a function that runs the study again."""
    return run_here


def executions(home):
    return len(open_store(home / "results").executions())


def test_nothing_is_done_twice_and_the_same_is_said(again, home, first):
    told = Told()
    before = (home / "reports" / "tiny" / "index.html").stat().st_mtime_ns
    result = again(told=told)
    assert executions(home) == 1
    assert (told.trials, told.unchanged_runs) == (0, 1)
    assert told.asked == ("tiny", 33)
    assert (result.counts["reused"], result.counts["complete"]) == (33, 0)
    assert result.verdicts == first.verdicts
    assert result.kept() == first.kept()
    assert told.closing.verdicts == result.verdicts
    assert result.report == first.report
    assert (home / "reports" / "tiny" / "index.html").stat().st_mtime_ns == before


def test_the_outlook_of_a_finished_study_is_the_same_without_a_walk(home):
    tiny = home / "tiny.yaml"
    loaded = load_study(tiny, None, FAST)
    plan = prepare(loaded, data_root(None))
    store = open_store(home / "results")
    known = finished.look_ahead(plan, store, str(tiny))
    assert known == count_done(plan, store)
    assert (known.to_run, sum(known.done.values())) == (0, 33)
    with sqlite3.connect(home / "results" / "harness.db") as db:
        db.execute("DELETE FROM records WHERE trial_id = (SELECT min(trial_id) FROM records)")
    left = finished.look_ahead(plan, store, str(tiny))
    assert left.to_run > 0
    assert left.seconds > 0


@pytest.mark.usefixtures("unwritten")
def test_an_observer_that_lacks_something_is_told_all(again, home):
    told = Told(lacking=True)
    assert again(told=told).counts["reused"] == 33
    assert (told.trials, told.unchanged_runs, executions(home)) == (33, 0, 2)


def touched_page(home):
    (home / "reports" / "tiny" / "report.md").write_text("nothing")


def deleted_figure(home):
    next((home / "reports" / "tiny" / "figures").rglob("*.png")).unlink()


def new_comment_in_the_study_file(home):
    file = home / "tiny.yaml"
    file.write_text(file.read_text() + "# a thought\n")


def published_file(home):
    from harness.publish import write_file

    store = open_store(home / "results")
    execution = store.executions()[0]
    write_file(store, execution, home / "results" / "published")


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    "change",
    [
        touched_page,
        deleted_figure,
        new_comment_in_the_study_file,
        published_file,
    ],
)
def test_the_report_is_made_again_when_it_would_differ(again, home, change):
    change(home)
    assert again().counts["reused"] == 33
    assert executions(home) == 2
    assert "supported" in (home / "reports" / "tiny" / "report.md").read_text()
    again()
    assert executions(home) == 2


@pytest.mark.usefixtures("unwritten")
def test_a_missing_record_is_trained_again(again, home):
    with sqlite3.connect(home / "results" / "harness.db") as db:
        db.execute("DELETE FROM records WHERE trial_id = (SELECT min(trial_id) FROM records)")
    assert again().counts["complete"] == 1
    assert again().counts["reused"] == 33


@pytest.mark.usefixtures("unwritten")
def test_a_failed_trial_is_tried_again(again, home):
    with sqlite3.connect(home / "results" / "harness.db") as db:
        db.create_function("checksum", -1, checksum)
        db.execute(
            "UPDATE records SET state = 'failed', record = json_set(record, '$.state', 'failed')"
            " WHERE trial_id = (SELECT min(trial_id) FROM records)"
        )
        values = ", ".join(f"CAST({name} AS BLOB)" for name in COVERED["records"])
        db.execute(f"UPDATE records SET checksum = checksum({values})")
    assert again().counts["complete"] == 1


@pytest.mark.usefixtures("unwritten")
@pytest.mark.parametrize("status", ["interrupted", "running"])
def test_an_execution_that_did_not_finish_goes_on(again, home, status):
    with sqlite3.connect(home / "results" / "harness.db") as db:
        db.execute("UPDATE executions SET status = ?", [status])
    again()
    assert executions(home) == 2


@pytest.mark.usefixtures("unwritten")
def test_other_settings_profiles_data_and_code_are_other_runs(again, home, monkeypatch):
    assert again("seeds=6").counts["complete"] == 5
    assert again().counts["reused"] == 33  # the newest execution is another one
    assert executions(home) == 3
    monkeypatch.setattr(finished, "package_version", lambda: "another")
    again()
    assert executions(home) == 4
    monkeypatch.setattr("harness.run.prepare.fingerprint", lambda *_: "changed")
    assert again().counts["reused"] == 33  # the data themselves, once read, are what they were
    assert executions(home) == 5


@pytest.mark.usefixtures("unwritten")
def test_a_report_of_two_profiles_stands_for_both(again, home, first):
    more = again(profile="more")
    assert more.counts["complete"] > 0
    assert again().verdicts == first.verdicts
    assert again(profile="more").kept() == more.kept()
    assert executions(home) == 2


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


@pytest.mark.usefixtures("unwritten")
def test_sequential_seeds_and_pretraining_are_known_again(again, home):
    settings = (
        "seeds={start: 5, step: 1, max: 6}",
        "pretraining={base: {}}",
        "arms={started: {transfer: {from: base}}}",
    )
    first = again(*settings)
    second = again(*settings)
    assert second.counts["reused"] == sum(first.counts.values())
    assert second.verdicts == first.verdicts
    assert executions(home) == 2
    with sqlite3.connect(home / "results" / "harness.db") as db:
        db.execute("DELETE FROM weights")
    assert again(*settings).counts["complete"] == 1  # a stage without weights is trained again


@pytest.mark.slow
def test_the_command_starts_nothing_that_trains_judges_or_draws(tiny, tmp_path, unwritten, capsys):
    code = (
        "import json, sys\n"
        "from harness.cli.app import run\n"
        "status = run(sys.argv[1:])\n"
        "print(json.dumps([status, sorted(sys.modules)]), file=sys.stderr)\n"
    )
    sets = [part for override in FAST for part in ("--set", override)]
    places = ["--results", str(tmp_path / "results"), "--out", str(tmp_path / "reports")]
    arguments = ["run", str(tiny), *sets, "--in-process", "--json", *places]
    assert run(arguments) == 0
    first = json.loads(capsys.readouterr().out)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    status, modules = json.loads(done.stderr.splitlines()[-1])
    assert status == 0
    second = json.loads(done.stdout)
    slow = {"torch", "ray", "mlflow", "optuna", "pandas", "sklearn", "scipy", "matplotlib"}
    assert not slow & {name.partition(".")[0] for name in modules}
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


def test_the_scoreboard_is_made_again_only_if_it_would_differ(again, home, unwritten, monkeypatch):
    made = []

    def build(*arguments, **more):
        made.append(arguments)
        return build_scoreboard(*arguments, **more)

    monkeypatch.setattr("harness.report.build_scoreboard", build)
    out = home / "reports"
    for count, change in [
        (1, lambda: None),
        (1, lambda: None),
        (2, (out / "index.html").unlink),
        (3, lambda: again("seeds=6")),
        (3, lambda: None),
    ]:
        change()
        refresh_scoreboard(home / "results", out)
        assert len(made) == count
        assert (out / "index.html").is_file()
