"""A matrix of data sets by models becomes profiles."""

import json

import pytest

from harness.cli.app import run
from harness.study import InputError, load_profiles, load_study

STUDY = """\
study: crossed
question: Does the activation matter anywhere?
workload: {data: digits, model: {name: mlp, depth: 1, width: 8}, epochs: 1}
factors:
  activation: {path: model.activation, levels: [relu, tanh]}
seeds: 5
claims:
  - {id: alike, says: They are alike, metric: test.accuracy,
     contrast: {activation: [relu, tanh]}, within: 0.5}
matrix:
  data:
    digits: {}
    wine: {workload.data: {name: table, source: wine}}
  model:
    small: {workload.model.width: 4}
    large: {workload.model.width: 16, workload.epochs: 2}
profiles:
  quick: {workload.batch_size: 128}
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        (tmp_path / "crossed.yaml").write_text(text)
        return tmp_path / "crossed.yaml"

    return write


def test_every_combination_is_a_profile(write):
    file = write(STUDY)
    names = ["quick", "digits-small", "digits-large", "wine-small", "wine-large"]
    assert [loaded.profile for loaded in load_profiles(file, "*")] == names
    assert [loaded.profile for loaded in load_profiles(file, "wine-*")] == names[3:]
    large = load_study(file, "wine-large").study.workload
    assert (large.data.name, large.model.width, large.epochs) == ("table", 16, 2)
    small = load_study(file, "digits-small").study.workload
    assert (small.data.name, small.model.width, small.epochs) == ("digits", 4, 1)


def test_a_mistake_in_an_axis_is_told_where_it_stands(write):
    file = write(STUDY.replace("workload.model.width: 4", "workload.model.widht: 4"))
    with pytest.raises(InputError) as caught:
        load_study(file)
    assert f"{file}:15:13" in str(caught.value)
    assert "did you mean 'width'" in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("  quick:", "  wine-small:", "'wine-small' has the name of another profile"),
        ("    digits: {}\n", "    Digits!: {}\n", "Digits!"),
        ("matrix:\n", "matrix: [1]\nseeds_:\n", "must be a mapping of axes"),
        ("    small: {workload.model.width: 4}", "    small: 4", "mapping of path: value"),
        ("small: {workload.model.width: 4}",
         "\n    ".join(f"s{i}: {{}}" for i in range(120)), "has 242 combinations"),
    ],
)  # fmt: skip
def test_what_cannot_be_expanded_is_refused(write, before, after, message):
    assert before in STUDY
    with pytest.raises(InputError, match=message):
        load_study(write(STUDY.replace(before, after)))


@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_profiles_are_run_by_pattern(write, tmp_path, capsys):
    where = ["--results", str(tmp_path / "results"), "--out", str(tmp_path / "reports")]
    call = ["run", str(write(STUDY)), "--in-process", "--json", *where]
    assert run([*call, "--profile", "wine-*"]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert [answer["profile"] for answer in answers] == ["wine-small", "wine-large"]
    assert run([*call, "--profile", "iris-*"]) == 2
    assert "has no profile 'iris-*' (it has: quick, digits-small" in capsys.readouterr().err
    assert run([*call, "--profile", "quick", "--all-profiles"]) == 2
