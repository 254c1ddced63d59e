"""Which test examples only one of two arms gets right."""

import zlib
from base64 import b64decode

import numpy as np
import pandas as pd
import pytest

from harness.evidence import Evidence
from harness.plan import make_plan
from harness.report.example_values import example_values
from harness.report.panels.examples import crossed, pairs, single
from harness.store import Execution
from harness.study import load_study

STUDY = """\
study: made
question: q
workload:
  data: {name: table, source: breast_cancer}
  model: {name: mlp, depth: 1, width: 8}
  epochs: 1
factors: {activation: {path: model.activation, levels: [relu, tanh, sigmoid]}}
simple_baseline: none
seeds: 5
claims:
  - {id: a, says: s, metric: test.accuracy, contrast: {activation: [relu, tanh]}, greater_by: 0.0}
  - {id: b, says: s, metric: test.loss, contrast: {activation: [relu, tanh]}, less_by: 0.0}
  - {id: c, says: s, metric: test.accuracy, contrast: {activation: [relu, sigmoid]}, within: 0.1}
"""
RIGHT = {  # (seeds, examples), which seeds take in turn
    "relu": [[1, 1, 0, 0, 1], [1, 1, 0, 0, 1], [1, 0, 0, 1, 1]],
    "tanh": [[1, 0, 1, 0, 0], [1, 0, 1, 0, 0], [1, 1, 1, 0, 0]],
}
LABELS = np.array([0, 1, 1, 0, 0], np.int32)


@pytest.fixture
def evidence(tmp_path):
    file = tmp_path / "made.yaml"
    file.write_text(STUDY)
    loaded = load_study(file)
    rows, outcomes = [], {}
    for arm in loaded.arms:
        for seed in range(5):
            id_ = f"{arm.name}-{seed}"
            row = {"arm": arm.name, "seed": seed, "phase": "confirmation", "trial_id": id_}
            rows.append(row | {"state": "complete"})
            if arm.name in RIGHT:
                bits = np.array(RIGHT[arm.name][seed % 3], np.float32)
                outcomes[id_] = {"test.accuracy": bits, "label": LABELS}
    plan = make_plan(loaded.study, loaded.arms)
    execution = Execution(1, "made", "default", "h", {}, {}, 0.0, 1.0, "finished", 1.0)
    return Evidence(plan, execution, pd.DataFrame(rows), pd.DataFrame(), {}, [], outcomes)


def texts(table):
    return [[cell.text for cell in row] for row in table.rows]


def test_every_pair_is_counted_once_by_the_majority_of_trainings(evidence):
    found = list(pairs(evidence))
    # nothing is known of sigmoid, and two claims compare relu with tanh
    assert texts(crossed(found)) == [
        ["relu − tanh", "1", "2", "1", "1", "malignant (1) and benign (1)", "benign (1)"]
    ]
    # the clearest first: example 4 on all trainings of relu and none of tanh
    assert texts(single(found)) == [
        ["relu − tanh", "4", "malignant", "100 %", "0 %"],
        ["relu − tanh", "1", "benign", "80 %", "20 %"],
        ["relu − tanh", "2", "benign", "0 %", "100 %"],
    ]


def test_without_labels_or_without_outcomes(evidence):
    for found in evidence.outcomes.values():
        del found["label"]
    (pair,) = pairs(evidence)
    assert pair.label(4) == "–"
    del evidence.outcomes["tanh-1"]
    assert list(pairs(evidence)) == []


def unpacked(text, dtype):
    return np.frombuffer(zlib.decompress(b64decode(text)), dtype)


def test_a_page_gets_how_many_trainings_of_each_arm_are_right_on_each_example(evidence):
    (group,) = example_values(evidence)["groups"]
    assert group["arms"] == {"relu": 5, "tanh": 5}  # nothing is known of sigmoid
    counts = unpacked(group["right"], np.uint8).reshape(5, 2)
    rows = {arm: [RIGHT[arm][seed % 3] for seed in range(5)] for arm in RIGHT}
    np.testing.assert_array_equal(counts, np.column_stack([np.sum(rows[a], 0) for a in RIGHT]))
    assert unpacked(group["labels"], "<u2").tolist() == LABELS.tolist()
    assert group["classes"] == ["malignant", "benign"]


def test_a_page_gets_nothing_of_arms_whose_records_keep_nothing(evidence):
    del evidence.outcomes["tanh-1"]
    assert example_values(evidence) == {"groups": []}
