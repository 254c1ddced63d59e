import json
import sqlite3
from contextlib import closing, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from sharing import TINY

from harness.cli.app import run

CLAIM_FIELDS = [
    "id", "study", "profile", "source", "verdict", "effect", "ci_low", "ci_high", "p_value",
    "p_corrected", "seeds", "trials",
]  # fmt: skip
FAST = ["--set", "workload.epochs=1", "--set", "search.candidates=2"]


@pytest.fixture
def where(tmp_path):
    return ["--results", str(tmp_path / "results")]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The folder of a run that several tests look at."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def there(home):
    return ["--results", str(home / "results")]


@pytest.fixture(scope="module")
def ran(home, there):
    """What `run --json` printed at the end of that run."""
    study = home / "tiny.yaml"
    study.write_text(TINY)
    arguments = [str(study), *FAST, "--in-process", "--json", "--out", str(home / "reports")]
    with redirect_stdout(StringIO()) as said:
        assert run(["run", *arguments, *there]) == 0
    return json.loads(said.getvalue())


def test_run_json_is_one_document_with_the_promised_fields(ran):
    assert (ran["study"], ran["profile"]) == ("tiny", "default")
    assert ran["trials"] == {
        "complete": 33, "pruned": 0, "diverged": 0, "failed": 0, "reused": 0,
    }  # fmt: skip
    assert ran["wall_seconds"] > 0
    assert [list(claim)[: len(CLAIM_FIELDS)] for claim in ran["claims"]] == [CLAIM_FIELDS] * 2
    assert Path(ran["report"]).name == "index.html"


@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_plan_json_before_and_after(tiny, tmp_path, where, capsys):
    def plan():
        assert run(["plan", str(tiny), *FAST, "--json", *where]) == 0
        return json.loads(capsys.readouterr().out)

    before = plan()
    assert not (tmp_path / "results").exists()
    assert before["trials"]["total"] == before["trials"]["to_run"] == 33
    first = before["arms"][0]
    search = first.pop("search")
    assert first == {"arm": "relu", "levels": {"activation": "relu"}, "baseline": True}
    assert search["space"] == {"optimizer.lr": {"log": [1e-3, 1e-1]}}
    assert search["metric"] == "validation.accuracy"
    assert (search["candidates"], search["epochs"]) == (2, 2)
    assert before["arms"][-1]["search"] is None
    arguments = [str(tiny), *FAST, "--in-process", "--json", "--out", str(tmp_path / "reports")]
    run(["run", *arguments, *where])
    capsys.readouterr()
    after = plan()
    assert (after["trials"]["done"], after["trials"]["to_run"]) == (33, 0)


def test_plan_says_what_the_seeds_can_show(tiny, where, capsys):
    run(["plan", str(tiny), "--json", *where])
    power = json.loads(capsys.readouterr().out)["power"]
    assert (power["seeds"], power["claims"]) == (5, 2)
    assert power["detectable"] > 0
    assert run(["plan", str(tiny), "--set", "seeds=8", *where]) == 0
    assert "beyond its margin" in " ".join(capsys.readouterr().out.split())


def test_claims_and_report_are_rebuilt_from_the_records(ran, home, there, capsys):
    assert run(["claims", "--json", *there]) == 0
    claims = json.loads(capsys.readouterr().out)
    assert claims == ran["claims"]
    assert run(["claims", *there]) == 0
    assert "tiny (default)" in capsys.readouterr().out
    page = home / "reports" / "tiny" / "index.html"
    before = page.read_bytes()
    page.unlink()
    assert run(["report", "tiny", *there, "--out", str(home / "reports")]) == 0
    assert page.read_bytes() == before
    assert (home / "reports" / "tiny" / "report.md").is_file()


def test_reports_are_exported_and_compared(ran, tmp_path, there, capsys):
    assert run(["report", "tiny", *there, "--export", str(tmp_path / "paper")]) == 0
    written = tmp_path / "paper" / "tiny" / "default"
    assert capsys.readouterr().out.split() == [str(written)]
    assert {file.suffix for file in written.rglob("*.*")} == {
        ".tex",
        ".txt",
        ".bib",
        ".pdf",
        ".csv",
        ".parquet",
    }
    results = there[1]
    both = ["report", "--compare", results, results, "--out", str(tmp_path / "compared")]
    assert run(both) == 0
    assert "no effects differ beyond noise" in capsys.readouterr().out
    assert run([*both, "--json"]) == 0
    (profile,) = json.loads(capsys.readouterr().out)["profiles"]
    assert profile["identical"] == profile["pairs"] > 0
    assert (tmp_path / "compared" / "comparison.html").is_file()
    assert run(["report", "--compare", results, str(tmp_path / "nowhere")]) == 2
    assert "no results" in capsys.readouterr().err
    assert run([*both, "tyni"]) == 2
    assert "did you mean 'tiny'" in capsys.readouterr().err
    assert run(["report", "--json", *there]) == 2


def test_a_trial_replays_bit_for_bit(ran, there, capsys):
    trial = ran["claims"][0]["trials"][0]
    assert run(["trial", trial[:10], *there]) == 0
    told = capsys.readouterr().out
    assert "ended complete" in told
    assert "tiny, profile default: arm " in told
    assert "test.accuracy: " in told
    assert len(told.splitlines()) < 20
    assert run(["trial", trial[:10], "--json", *there]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "complete"
    assert run(["trial", trial, "--replay", *there]) == 0
    assert "identical" in capsys.readouterr().out


def test_the_mirror_has_one_finished_run_per_record(ran, home):
    with closing(sqlite3.connect(home / "results" / "mlflow.db")) as mirror:
        trials = "SELECT count(*), count(DISTINCT value) FROM tags WHERE key = 'trial_id'"
        assert mirror.execute(trials).fetchall() == [(33, 33)]
        assert mirror.execute("SELECT DISTINCT status FROM runs").fetchall() == [("FINISHED",)]
        parent = "SELECT run_uuid FROM tags WHERE key = 'role' AND value = 'execution'"
        ((execution,),) = mirror.execute(parent).fetchall()
    found = (home / "results" / "mlartifacts").glob(f"*/{execution}/artifacts/report/index.html")
    assert len(list(found)) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["validate", "nowhere.yaml"], "cannot be read"),
        (["plan", "{tiny}", "--profile", "mroe"], "did you mean 'more'"),
        (["run", "{tiny}", "--set", "sedes=3"], "did you mean 'seeds'"),
        (["run", "{tiny}", "--data-root", "{tmp}/nowhere"], "is not a folder"),
        (["run", "{tiny}", "--set", "workload.data=mnist", "--data-root", "{tmp}"], "MNIST"),
        (["claims"], "no results"),
        (["report"], "no results"),
        (["trial", "abc"], "no results"),
        (["list", "modles"], "did you mean 'models'"),
        (["new", "Bad/Name"], "no name for a study"),
        (["runn"], "No such command"),
        (["run"], "Missing argument"),
        (["run", "{tiny}", "--portt", "1"], "No such option"),
    ],
)
def test_wrong_input_is_said_in_a_line_with_status_2(tiny, tmp_path, capsys, arguments, message):
    filled = [a.format(tiny=tiny, tmp=tmp_path) for a in arguments]
    results = tmp_path / "results"
    if filled[0] in {"plan", "claims", "report", "trial"} or filled[:2] == ["run", str(tiny)]:
        filled += ["--results", str(results)]
    assert run(filled) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert not results.exists()


def test_unknown_studies_and_trials(ran, there, capsys):
    assert run(["report", "tyni", *there]) == 2
    assert "did you mean 'tiny'" in capsys.readouterr().err
    assert run(["trial", "zzzz", *there]) == 2
    assert run(["trial", "", *there]) == 2
    assert "give more digits" in capsys.readouterr().err


def test_a_new_study_is_sound_and_never_overwrites(tmp_path, capsys):
    assert run(["new", "mine", "--folder", str(tmp_path)]) == 0
    assert run(["validate", str(tmp_path / "mine.yaml")]) == 0
    assert run(["new", "mine", "--folder", str(tmp_path)]) == 2


def test_the_schema_in_the_repository_is_current(capsys):
    assert run(["schema"]) == 0
    assert capsys.readouterr().out == Path("studies/study.schema.json").read_text()


def test_lists(capsys):
    for kind in ("kinds", "models", "activations", "designs", "hypotheses"):
        assert run(["list", kind]) == 0
    assert "factorial" in capsys.readouterr().out
