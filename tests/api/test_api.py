"""The Python interface: what the command line does, and evidence as frames."""

import json

import pytest
import yaml
from sharing import TINY

from harness import api
from harness.cli.app import run as command

FAST = {"workload.epochs": 1, "search.candidates": 2, "seeds": 6}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def where(folder):
    return {"results": folder / "results", "reports": folder / "reports"}


@pytest.fixture(scope="module")
def ran(where):
    """A study that is in no file, run once for all tests."""
    study = api.load(yaml.safe_load(TINY.replace("1e-", "1.0e-")), settings=FAST)
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
    assert "two-parts" not in page
    assert "ReLU beats sigmoid" in page
    assert "38 complete" in page
    study = yaml.safe_load(TINY.replace("1e-", "1.0e-")) | {"question": "<script>"}
    assert "<script>" not in api.plan(study)._repr_html_()


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ("activation", "did you mean 'activations'"),
        ({"study": "x"}, "question: is missing"),
        ({"study": object()}, "not plain data"),
        ({"study": "x", "alpha": float("nan")}, "not plain data"),
        ({"study": "x", "extends": "nowhere"}, "neither a .yaml file nor a bundled study"),
        ({"study": "x", "matrix": {"a": {"b": 1}}}, "must be a mapping of path: value"),
    ],
)
def test_wrong_input_is_said(study, message):
    with pytest.raises(api.InputError, match=message):
        api.load(study)


def test_a_loaded_study_has_its_settings():
    study = api.load("activations", profile="quick")
    assert api.load(study) is study
    with pytest.raises(api.InputError, match="loaded already"):
        api.load(study, profile="full")
