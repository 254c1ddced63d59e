"""Small inputs that once went wrong, each with what is right."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.app import run
from harness.run.results import open_results

pytestmark = pytest.mark.usefixtures("unmirrored")
without_pictures = pytest.mark.usefixtures("undrawn")

HERE = Path(__file__).parent / "cases"

REFUSED = {
    "same-arms": "claims[0].contrast: compares one with two, but they are one arm",
    "dead-override": "model.width never acts: factor 'b' overwrites it in every arm",
    "no-such-metric": "has no test.acc; did you mean 'test.accuracy'?",
    "impossible-ratio": "a ratio is positive, and so are its bounds",
    "deviation-of-one": "the deviation is taken over several arms of one side; here arm 8",
    "own-metrics": "nothing says whether a low or a high one is better",
}
"""What is refused before anything trains, and words of what is said."""


@pytest.fixture
def case(tmp_path, monkeypatch, capsys):
    """Return a function that carries out a command on a case: its status, output and errors."""
    for file in HERE.iterdir():
        if file.suffix in (".yaml", ".py"):
            shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path, str(tmp_path)])

    def carry_out(*words):
        status = run(list(words))
        said = capsys.readouterr()
        return status, said.out, said.err

    return carry_out


def trained(case, name, *options):
    status, out, said = case("run", f"{name}.yaml", "--in-process", "--json", *options)
    assert status == 0, said
    return json.loads(out)


def verdict(result):
    (claim,) = result["claims"]
    return claim["verdict"], claim["effect"]


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_before_anything_trains(case, name):
    for command in ("validate", "run"):
        status, _, said = case(command, f"{name}.yaml", *(["--in-process"] * (command == "run")))
        assert status == 2
        assert said.startswith(f"harness: {name}.yaml:")
        assert REFUSED[name] in said
    assert not Path("results", "harness.db").exists()


def test_the_plan_says_what_two_sided_claims_can_show(case):
    _, said, _ = case("plan", "two-sided-power.yaml")
    said = " ".join(said.split())
    assert "With 8 seeds a claim with differs_by is supported 4 times in 5 if its effect" in said


@without_pictures
def test_names_that_would_collide_are_unique(case):
    result = trained(case, "names-collide")
    rows = open_results(Path("results")).judged()[0].evidence.confirmation
    rows = rows[rows["arm"] != "simple-baseline"]
    assert (rows["arm"].nunique(), len(rows)) == (4, 32)
    assert len(result["claims"][0]["trials"]) == 16


@without_pictures
@pytest.mark.parametrize("design", ["one-at-a-time", "leave-one-out", "factorial"])
def test_a_placebo_has_no_effect(case, design):
    result = trained(case, "placebo", "--set", f"design={design}")
    assert verdict(result) == ("inconclusive", 0.0)  # equal numbers prove nothing


def test_a_placebo_that_cannot_be_told_from_poison_is_refused(case):
    status, _, said = case("validate", "placebo.yaml")
    assert status == 0
    text = Path("placebo.yaml").read_text().replace("one-at-a-time", "half-fraction")
    Path("half.yaml").write_text(text)
    status, _, said = case("validate", "half.yaml")
    assert status == 2
    assert "cannot tell the effect of placebo from poison; write `design: factorial`" in said


@pytest.mark.parametrize("name", ["cube", "null-level"])
def test_a_picture_costs_no_verdict(case, name):
    result = trained(case, name)
    assert verdict(result)[0] in ("supported", "refuted", "inconclusive")
    assert result["left_out"] == []
    assert Path(result["report"]).is_file()


@without_pictures
def test_numbers_that_are_not_finite_are_missing_evidence(case):
    result = trained(case, "own-metrics", "--set", "workload.training.goal=minimize")
    (claim,) = result["claims"]
    assert claim["verdict"] == "incomplete"
    assert "test.accuracy is not finite for infinite" in claim["reason"]
    (judged,) = open_results(Path("results")).judged()
    rows = judged.evidence.confirmation
    assert set(rows["selected_epoch"]) == {2}  # the lowest validation.mse
    assert rows.loc[rows["arm"] == "nan-at-end", "test.accuracy"].isna().all()
    # another study goes on
    assert trained(case, "placebo")["claims"][0]["verdict"] == "inconclusive"


@without_pictures
@pytest.mark.parametrize("levels", ["[dirty, good]", "[good, dirty]"])
def test_own_code_leaves_no_traces(case, levels):
    result = trained(case, "leaves-traces", "--set", f"factors.kind.levels={levels}")
    assert verdict(result) == ("supported", 32.0)
    (judged,) = open_results(Path("results")).judged()
    rows = judged.evidence.confirmation
    assert set(rows.loc[rows["arm"] == "good", "test.trace"]) == {0.0}


@without_pictures
def test_a_changed_helper_is_trained_again(case):
    """Each plan is made by a process of its own; `test_own_modules` runs all in processes."""

    def planned():
        command = [sys.executable, "-m", "harness", "plan", "helper.yaml", "--json"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found = json.loads(said)["trials"]
        return found["done"], found["to_run"]

    assert trained(case, "helper")["trials"]["complete"] == 18
    helper = Path("blocks.py")
    helper.write_text(helper.read_text() + "\n# a comment\n")
    assert planned() == (18, 0)
    helper.write_text(helper.read_text().replace("nn.ReLU()", "nn.Threshold(1e9, 0.0)"))
    assert planned() == (6, 12)  # all but the simple baseline
