"""What a plan says of claims: what is measured, which way it points, in which unit."""

import pytest
import yaml

from harness.study import load_study
from harness.study.in_words import asked

FILE = """\
study: s
question: q?
workload: {data: digits, model: {name: mlp, depth: 1, width: 32}, epochs: 2}
factors: {activation: {path: model.activation, levels: [relu, tanh]}}
seeds: 5
claims:
  - {id: c, says: s, %s}
"""
PAIR = "contrast: {activation: [relu, tanh]}"


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (
            f"metric: test.accuracy, {PAIR}, greater_by: 0.01",
            "test.accuracy (share correct, higher is better): relu − tanh > 0.01;"
            " then relu is better",
        ),
        (
            f"metric: test.loss, {PAIR}, greater_by: 0.5",
            "test.loss (nats, lower is better): relu − tanh > 0.5; then relu is worse",
        ),
        (
            "metric: test.loss, ratio: {activation: [relu, tanh]}, less_by: 0.1",
            "test.loss (nats, lower is better): relu ÷ tanh < 0.9; then relu is better",
        ),
        (
            f"metric: test.loss, {PAIR}, within: 0.1",
            "test.loss (nats, lower is better): relu − tanh within ±0.1",
        ),
        (
            f"metric: test.loss, {PAIR}, noninferior: 0.1",
            "test.loss (nats, lower is better): relu − tanh < 0.1",
        ),
        (
            "metric: test.accuracy, of: {activation: relu}, above: 0.9",
            "test.accuracy (share correct, higher is better): activation relu > 0.9",
        ),
        (
            "metric: test.accuracy, of: {activation: relu}, above: 0.9, deterministic: true",
            "test.accuracy (share correct, higher is better): activation relu > 0.9, whatever the"
            " seed",
        ),
        (
            "metric: test.accuracy, across: range, of: {arm: [relu, tanh]}, above: 0.1",
            "range of test.accuracy (share correct):",
        ),
    ],
)
def test_a_claim_says_which_way_it_points(claim, said):
    loaded = load_study(yaml.safe_load(FILE % claim))
    (one,) = asked(loaded.study, loaded.arms)
    assert str(one) == said or (said.endswith(":") and str(one).startswith(said))
