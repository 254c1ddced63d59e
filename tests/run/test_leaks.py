"""A stage must not learn from what its arms are tested on, whatever its file is called."""

import random

import pytest

from harness.run.study_run import RunOptions, run_study
from harness.study import InputError, load_study

STUDY = """\
study: again
question: Does a start from other rows help?
workload:
  data: {name: table_file, path: rows.csv, target: kind, test_fraction: 0.3}
  model: {name: mlp, depth: 1, width: 4}
  epochs: 1
stages:
  first: {data: {path: OTHER}}
  second: {transfer: {from: first}}
arms:
  fresh: {}
  begun: {transfer: {from: second}}
simple_baseline: none
seeds: 2
"""


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """Two files of 120 rows each, and a copy of the first whose rows are shuffled."""
    monkeypatch.chdir(tmp_path)
    drawn = random.Random(0)
    lines = [
        f"{drawn.random()},{drawn.random()},{drawn.random()},{drawn.choice('ab')}\n"
        for _ in range(240)
    ]
    copied = lines[:120]
    drawn.shuffle(copied)
    for name, some in (("rows", lines[:120]), ("more", lines[120:]), ("copy", copied)):
        (tmp_path / f"{name}.csv").write_text("a,b,c,kind\n" + "".join(some))

    def run(other):
        (tmp_path / "again.yaml").write_text(STUDY.replace("OTHER", other))
        options = RunOptions(tmp_path / "results", tmp_path / "reports", in_process=True)
        return run_study(load_study(tmp_path / "again.yaml"), options)

    return run


def test_a_shuffled_copy_of_their_file_is_refused_before_anything_trains(rows, tmp_path):
    with pytest.raises(InputError) as refused:
        rows("copy.csv")
    said = str(refused.value)
    assert (
        "stages.first.data: learns from 25 of the 36 inputs that the arm 'begun' is tested" in said
    )
    assert not (tmp_path / "results" / "harness.db").exists()


def test_other_rows_are_learned_from(rows):
    assert rows("more.csv").counts["complete"] == 6
