"""The Python interface: what the command line does, and evidence as frames."""

import html
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from sharing import TINY, lean

from harness import api
from harness.cli.app import run as command
from harness.own.lookup import CodeMissingError

FAST = {"workload.epochs": 1, "search.candidates": 2, "seeds": 6}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("api")


def in_notebook():
    """Return a function as a cell of a notebook defines it."""

    def network(shape, outputs):
        raise AssertionError("nothing calls it")

    network.__module__, network.__qualname__ = "__main__", "network"
    return network


@pytest.fixture(scope="module")
def where(folder):
    return {"results": folder / "results", "reports": folder / "reports"}


@pytest.fixture(scope="module")
def ran(where):
    """A study that is in no file, run once for all tests."""
    study = api.load(yaml.safe_load(TINY.replace("1e-", "1.0e-")), settings=FAST)
    with lean():
        return api.run(study, **where, in_process=True)


def test_a_mapping_is_planned_and_nothing_is_written(tmp_path):
    study = api.load({"study": "short", "extends": "activations"}, settings={"seeds": 8})
    planned = api.plan(study, results=tmp_path / "results")
    counts = planned.plan.trial_counts()
    assert planned.to_run == counts["search"] + 8 * len(planned.arms) + counts["timing"]
    assert counts["timing"] == 5 * 2  # blocks of two arms
    assert planned.seconds is None  # before any was measured
    assert "relu-2" in planned.arms[0] or planned.arms
    assert "trials to run" in planned._repr_html_()
    assert not (tmp_path / "results").exists()


def test_a_run_answers_with_verdicts_and_frames(ran, where):
    assert ran.counts["complete"] == 38
    assert [verdict.id for verdict in ran.verdicts] == ["relu-beats-sigmoid", "two-parts"]
    assert ran["two-parts"].says == "tanh and relu are alike, and both have live units"
    with pytest.raises(KeyError, match="the claims are: relu-beats-sigmoid, two-parts"):
        ran["two-part"]
    assert list(ran.claims["id"]) == ["relu-beats-sigmoid", "two-parts"]
    assert len(ran.evidence) == 30
    assert set(ran.evidence["phase"]) == {"confirmation"}
    assert ran.evidence["test.accuracy"].between(0, 1).all()
    assert set(ran.trials["phase"]) == {"search", "confirmation"}
    assert set(ran.curves.columns) >= {"arm", "seed", "epoch", "validation.accuracy"}
    assert (ran.report / "index.html").is_file()
    assert (where["reports"] / "index.html").is_file()  # the scoreboard
    assert "harness.api.run" in (ran.report / "report.md").read_text()


def test_results_are_judged_again_and_reports_rebuilt(ran, where, capsys):
    [again] = api.judge(["tiny"], results=where["results"])
    assert again.verdicts == ran.verdicts
    assert again.evidence.equals(ran.evidence)
    assert api.report(results=where["results"], reports=where["reports"]) == {
        "tiny": ran.report / "index.html"
    }
    assert command(["claims", "--json", "--results", str(where["results"])]) == 0
    assert json.loads(capsys.readouterr().out) == ran.claims_as_dicts()
    with pytest.raises(api.InputError, match="did you mean 'tiny'"):
        api.judge(["tyni"], results=where["results"])


def test_a_notebook_shows_text_and_never_markup(ran):
    page = ran._repr_html_()
    assert ">two-parts<" not in page  # claims are told by their sentences
    assert "ReLU beats sigmoid" in page
    assert "38 complete" in page
    study = yaml.safe_load(TINY.replace("1e-", "1.0e-")) | {"question": "<script>"}
    assert "<script>" not in api.plan(study)._repr_html_()


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ("activation", "did you mean 'activations'"),
        ({"study": "x"}, "question: is missing"),
        ({"study": object()}, "not plain data: .* is of type object"),
        ({"study": "x", "workload": {"model": in_notebook()}}, "%%writefile my_code"),
        ({"study": "x", "alpha": float("nan")}, "not plain data"),
        ({"study": "x", "extends": "nowhere"}, "neither a .yaml file nor a bundled study"),
        ({"study": "x", "matrix": {"a": {"b": 1}}}, "must be a mapping of path: value"),
    ],
)
def test_wrong_input_is_said(study, message):
    with pytest.raises(api.InputError, match=message):
        api.load(study)


def test_values_of_python_are_what_a_file_would_say():
    workload = {
        "data": "digits",
        "model": {"name": in_notebook, "settings": {"width": np.int64(8)}},
    }
    loaded = api.load({"study": "own", "question": "q", "workload": workload, "seeds": np.int32(5)})
    (arm,) = loaded.arms
    assert arm.workload["model"]["name"] == f"{in_notebook.__module__}:in_notebook"
    assert arm.workload["model"]["settings"] == {"width": 8}
    assert loaded.study.seeds == 5


def test_code_of_a_notebook_is_told_where_to_go():
    named = {"study": "own", "question": "q", "seeds": 5}
    named["workload"] = {"data": "digits", "model": "__main__:network"}
    with pytest.raises(CodeMissingError, match=r"'network' is code of this notebook .*writefile"):
        api.run(named, in_process=True)


def test_a_loaded_study_has_its_settings():
    study = api.load("activations", profile="quick")
    assert api.load(study) is study
    with pytest.raises(api.InputError, match="loaded already"):
        api.load(study, profile="full")


def test_a_plan_is_ten_lines_and_a_result_one_for_each_claim(ran, where):
    study = api.load(yaml.safe_load(TINY.replace("1e-", "1.0e-")), settings=FAST)
    lines = str(api.plan(study, results=where["results"])).splitlines()
    assert len(lines) == 10
    assert lines[0] == "tiny (default): Does the activation matter?"
    assert "factors   activation (relu, tanh and sigmoid)" in lines
    assert "trials    search 8 (8 done), confirmation 30 (30 done)" in lines
    assert "to run    0 trials, about 0 s on one worker" in lines
    many = api.load(
        {"study": "many", "extends": "activations", "claims": []},
        settings={"factors": {"w": {"path": "model.width", "levels": list(range(2, 300))}}},
    )
    assert all(len(line) < 300 for line in repr(api.plan(many)).splitlines())
    told = str(ran).splitlines()
    assert told[0] == "tiny (default): 2 claims"
    assert told[1].startswith(f"{ran.verdicts[0].words}: ReLU beats sigmoid (")
    assert "6 seeds)" in told[1]


def test_a_notebook_shows_the_answer_as_a_card(ran):
    page = ran._repr_html_()
    for answer in ran.answers:
        assert html.escape(answer.sentence) in page
        assert html.escape(answer.certainty) in page
        assert str(answer.strip) in page
    assert "<svg" in page
    assert "prefers-color-scheme" not in page  # a notebook's own theme decides
    gone = replace(ran, results=Path("nowhere"))  # what was kept of the run is still shown
    assert "ReLU beats sigmoid" in gone._repr_html_()


@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_levels_that_are_numbers_are_numbers(where, tmp_path):
    widths = {
        "study": "typed",
        "question": "Are they?",
        "workload": {"data": "digits", "model": {"name": "mlp", "depth": 1}, "epochs": 1},
        "factors": {
            "width": {"path": "model.width", "levels": [2, 8]},
            "rate": {"path": "optimizer.lr", "levels": [0.001, 0.01]},
            "kind": {"path": "model.activation", "levels": ["relu", "tanh"]},
        },
        "arms": {"deep": {"model.depth": 2}},
        "seeds": 5,
        "claims": [],
    }
    result = api.run(
        widths, results=tmp_path / "results", reports=tmp_path / "reports", in_process=True
    )
    for frame in (result.trials, result.evidence, result.curves):
        assert frame["level.rate"].dtype == "float64"
        assert set(frame["phase"]) == {"confirmation"}
        assert set(frame["level.kind"].dropna()) == {"relu", "tanh"}
        widths_of = frame["level.width"]  # the simple baseline has none
        assert widths_of.dtype in ("int64", "Int64")
        assert set(widths_of.dropna()) == {2, 8}
    whole = result.evidence.dropna(subset=["level.width"])
    by_width = whole.groupby("level.width")["test.accuracy"].mean()
    assert by_width.index.tolist() == [2, 8]
    assert result.trials["candidate"].dtype in ("int64", "Int64")


def test_figures_are_of_matplotlib_and_can_be_restyled(ran, tmp_path):
    from matplotlib.figure import Figure

    effects = ran.figures["effects"]
    assert effects._repr_png_().startswith(b"\x89PNG")
    panel = effects.panels[0]
    assert isinstance(panel, Figure)
    panel.axes[0].set_title("My own title")
    panel.savefig(tmp_path / "mine.pdf")
    assert (tmp_path / "mine.pdf").read_bytes().startswith(b"%PDF")
    assert "learning-curves" in ran.figures
