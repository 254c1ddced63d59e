"""Suites: data sets by the name of a list, bundled or one's own."""

import pytest

from harness import api
from harness.cli.catalogue import catalogue
from harness.errors import InputError
from harness.study import load_study, study_from_dict
from harness.study.suites import bundled_suites

STUDY = """
study: own
question: q
workload: {data: digits, model: mlp, epochs: 1}
factors:
  model: {levels: {one: {optimizer: sgd}, two: {optimizer: adam}}}
  data: {suite: %s}
design: benchmark
seeds: 2
"""


def write(folder, suite, text=None):
    if text is not None:
        (folder / "mine.yaml").write_text(text)
    file = folder / "own.yaml"
    file.write_text(STUDY % suite)
    return file


@pytest.mark.parametrize("name", bundled_suites())
def test_every_bundled_suite_makes_a_sound_study(name, tmp_path):
    model = "recurrent" if name in ("sequences", "hub-texts") else "mlp"
    file = write(tmp_path, name)
    file.write_text(file.read_text().replace("model: mlp", f"model: {model}"))
    loaded = load_study(file)
    assert len(loaded.arms) == 2 * len(loaded.study.factors["data"].levels) >= 6
    assert catalogue()["suites"][name]


def test_a_suite_of_ones_own_stands_for_levels_and_is_written_out_in_what_is_declared(tmp_path):
    text = "suite: mine\nabout: Mine\ndata:\n  a: digits\n  b: {data: {name: table}, epochs: 3}\n"
    loaded = load_study(write(tmp_path, "mine.yaml", text))
    assert list(loaded.study.factors["data"].levels) == ["a", "b"]
    assert {arm.workload["epochs"] for arm in loaded.arms if arm.levels["data"] == "b"} == {3}
    (tmp_path / "mine.yaml").unlink()
    _, arms = study_from_dict(loaded.study.model_dump(mode="json", exclude_unset=True))
    assert [arm.name for arm in arms] == [arm.name for arm in loaded.arms]


def test_targets_become_probes_and_entries_may_be_left_out(tmp_path):
    study = load_study(write(tmp_path, "optimizer-tasks, without: [sentences, memory]")).study
    labels = list(study.factors["data"].levels)
    assert "memory" not in labels
    assert "sentences" not in labels
    assert [probe.on["data"] for probe in study.probes] == labels
    assert {probe.name for probe in study.probes} == {"steps_to_target"}


@pytest.mark.parametrize(
    ("suite", "text", "says"),
    [
        ("tabels", None, "own.yaml:7:.*neither a bundled suite.*did you mean 'tables'"),
        ("nowhere.yaml", None, "there is no file"),
        ("tables, without: [irs]", None, "the suite has no 'irs'.*did you mean 'iris'"),
        ("tables, levels: [1]", None, "suite and without alone"),
        ("mine.yaml", "suite: mine\ndata: {a: {epochs: 3}}\n", "mine.yaml:2:.*needs `data`"),
        ("mine.yaml", "suite: mine\ndata: {}\n", "a suite needs `data`"),
        ("mine.yaml", "suite: mine\nsets: {}\n", "mine.yaml:2:1: sets: a suite has"),
        ("mine.yaml", "suite: mine\ndata: {a: {data: digits, target: 0.9}}\n", "one metric"),
        ("mine.yaml", "suite: m\ndata: {a: digits, b: nothing}\n", "nothing.*is not one of"),
    ],
)
def test_what_is_no_suite_is_said_with_its_place(tmp_path, suite, text, says):
    with pytest.raises(InputError, match=says):
        load_study(write(tmp_path, suite, text))


def test_plain_data_may_name_a_suite():
    whole = {
        "study": "plain", "question": "q", "seeds": 2, "design": "benchmark",
        "workload": {"data": "digits", "model": "mlp", "epochs": 1},
        "factors": {
            "model": {"path": "model.depth", "levels": [1, 2]}, "data": {"suite": "tables"},
        },
    }  # fmt: skip
    assert len(api.load(whole).arms) == 24
