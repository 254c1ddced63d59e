"""Claims on blocks: judged by all blocks, whatever the seeds do; what disturbed them is told."""

import numpy as np
import pandas as pd
import pytest

from harness.evidence import Evidence
from harness.integrity.seals import evidence_digest
from harness.integrity.timing import disturbances, loads
from harness.judge import arms_to_continue, judge
from harness.plan import make_plan
from harness.report.panels.timing import facts, times
from harness.store import Execution
from harness.study import load_study

STUDY = """
study: made
question: Known answers?
workload: {data: digits, model: mlp}
arms: {a: {model.depth: 1}, b: {model.depth: 2}}
simple_baseline: none
design: explicit
seeds: %s
timing: {blocks: 6}
claims:
  - {id: slower, says: b is slower, source: [x], metric: timing.step_seconds,
     ratio: [{arm: b}, {arm: a}], greater_by: 0.1}
  - {id: better, says: b is better, source: [x], metric: test.accuracy,
     contrast: [{arm: b}, {arm: a}], greater_by: 0}
"""
LOOKS = "{start: 8, step: 4, max: 16}"
A = np.array([1.0, 1.1, 0.9, 1.05, 0.95, 1.0]) * 1e-3
NOISE = np.array([1.01, 0.99, 1.0, 1.02, 0.98, 1.0])


@pytest.fixture
def made(tmp_path):
    """Return a function: seconds of the blocks, by arm, give the evidence."""
    file = tmp_path / "made.yaml"

    def build(seconds, seeds="8", scores=None, runnable=(0.0, 0.0)):
        file.write_text(STUDY % seeds)
        loaded = load_study(file)
        plan, rows, details = make_plan(loaded.study, loaded.arms), [], {}
        for arm, values in seconds.items():
            numbers = (scores or {}).get(arm, np.linspace(0.8, 0.82, 16))
            for seed in range(loaded.study.most_seeds):
                row = {"arm": arm, "seed": seed, "phase": "confirmation", "state": "complete"}
                rows.append(row | {"trial_id": f"{arm}-{seed}", "test.accuracy": numbers[seed]})
            for block, value in enumerate(values):
                row = {"arm": arm, "seed": block, "phase": "timing", "state": "complete"}
                row |= {"trial_id": f"{arm}-block-{block}", "device": "CPU"}
                rows.append(row | {"timing.step_seconds": value})
                details[row["trial_id"]] = {
                    "timing.load": [0.5, 1.0],
                    "timing.runnable": list(runnable),
                    "timing.cores": [2.0, 2.0],
                }
        execution = Execution(1, "made", "default", "h", {}, {}, 0.0, 1.0, "finished", 1.0)
        return Evidence(plan, execution, pd.DataFrame(rows), pd.DataFrame(), details, [])

    return build


def test_blocks_are_compared_in_pairs(made):
    slower, better = judge(made({"a": A, "b": 1.3 * A * NOISE}))
    assert (slower.verdict, slower.seeds, slower.counted) == ("supported", 6, "6 blocks")
    assert slower.effect == pytest.approx(1.3, rel=0.01)
    assert slower.interval_over == "blocks"
    assert slower.trials == sorted(f"{arm}-block-{n}" for arm in "ab" for n in range(6))
    assert "of one machine at one time" in slower.reason
    assert (better.seeds, better.counted, better.unit) == (8, "8", "seed")


def test_a_block_that_is_missing_leaves_the_claim_incomplete(made):
    slower, _ = judge(made({"a": A, "b": 1.3 * A[:5]}))
    assert (slower.verdict, slower.reason) == ("incomplete", "of 6 trials 1 not run")


def test_claims_on_blocks_wait_for_no_look_and_ask_for_no_seeds(made):
    once, _ = judge(made({"a": A, "b": 1.3 * A * NOISE}))
    clear = {"a": np.linspace(0.5, 0.52, 16), "b": np.linspace(0.8, 0.83, 16)}
    looked = made({"a": A, "b": 1.3 * A * NOISE}, LOOKS, clear)
    slower, better = judge(looked)
    assert (slower.verdict, slower.ci_low, slower.reason) == (
        once.verdict, once.ci_low, once.reason,
    )  # fmt: skip
    assert "at the look at 8 seeds" in better.reason
    assert arms_to_continue(looked, 8) == set()
    open_ = made({"a": A, "b": 1.1 * A * NOISE}, LOOKS, clear)
    assert judge(open_)[0].verdict == "inconclusive"
    assert arms_to_continue(open_, 8) == set()
    assert arms_to_continue(made({"a": [], "b": []}, LOOKS, clear), 8) == set()


def test_the_report_warns_of_a_busy_machine_and_of_blocks_that_differ(made):
    quiet = made({"a": A, "b": 1.3 * A})
    assert list(disturbances(quiet)) == []
    assert [load.block for load in loads(quiet)] == [0, 1, 2, 3, 4, 5]
    busy, differ = disturbances(made({"a": A, "b": 1.3 * A * [1, 1, 1, 1, 1, 2]}, runnable=(0, 3)))
    assert "busy around 6 blocks of 6" in busy
    assert "up to 3 other threads wanted to run on 2 cores" in busy
    assert "Blocks differ in timing.step_seconds" in differ


def test_the_table_of_times_has_every_arm(made):
    evidence = made({"a": A, "b": 1.3 * A})
    table = times(evidence)
    assert [row[0].text for row in table.rows] == ["a", "b"]
    assert table.rows[0][1].text.startswith("1.00")
    assert table.rows[0][2].text == "0.900 to 1.10"
    assert dict(facts(evidence))["Blocks"] == "6 of 6"


def test_blocks_are_a_part_of_the_evidence_that_is_sealed(made):
    one, other = (made({"a": A, "b": factor * A}) for factor in (1.3, 1.4))
    assert evidence_digest(one) == evidence_digest(made({"a": A, "b": 1.3 * A}))
    assert evidence_digest(one) != evidence_digest(other)
