"""Tables that only some designs have: ablations, and importance of several searched settings."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness.evidence import Evidence
from harness.figures.interactions import interactions
from harness.plan import make_plan
from harness.report.panels.ablations import ablations
from harness.report.panels.arms import all_arms
from harness.report.panels.search import importance
from harness.study import study_from_dict

FACTORS = {
    "dropout": {"path": "model.dropout", "levels": [0.2, 0.0]},
    "norm": {"path": "model.norm", "levels": ["batch", "none"]},
}


def evidence_of(results, searched=(), **declared):
    """Make evidence of accuracies by arm, and of search trials (arm, parameters, accuracy)."""
    study, arms = study_from_dict(
        {
            "study": "s",
            "question": "q",
            "workload": {"data": {"name": "digits"}, "model": {"name": "mlp"}},
            **declared,
        }
    )
    plan = make_plan(study, arms)
    levels = {arm.name: arm.levels for arm in plan.arms}
    rows = [
        {
            "arm": arm, "phase": "confirmation", "candidate": None, "seed": seed,
            "trial_id": f"{arm}-{seed}", "state": "complete", "test.accuracy": value,
            "validation.accuracy": value, "cost.seconds": 1.0 + (arm != "full"),
        } | {f"level.{factor}": level for factor, level in levels[arm].items()}
        for arm, values in results.items()
        for seed, value in enumerate(values)
    ]  # fmt: skip
    rows += [
        {
            "arm": arm, "phase": "search", "candidate": index, "seed": 1_000_000,
            "trial_id": f"s{index}", "state": "complete", "validation.accuracy": value,
        } | {f"parameter.{path}": setting for path, setting in parameters.items()}
        for index, (arm, parameters, value) in enumerate(searched)
    ]  # fmt: skip
    return Evidence(plan, None, pd.DataFrame(rows), pd.DataFrame(), {}, [])


NOISE = np.random.default_rng(0).normal(size=(3, 8)) * 0.001


def test_leaving_something_out_is_compared_with_the_full_model():
    evidence = evidence_of(
        {
            "full": 0.9 + NOISE[0],
            "without-dropout": 0.8 + NOISE[1],
            "without-norm": 0.9 + NOISE[2],
        },
        factors=FACTORS,
        design="leave-one-out",
    )
    table = ablations(evidence)
    assert table.columns[0] == "Without"
    first, dropout, norm = ([cell.text for cell in row] for row in table.rows)
    assert first[0] == "the baseline arm"
    assert dropout[0] == "dropout (0.0 instead of 0.2)"
    assert dropout[2].startswith("−0.10")
    assert dropout[3] == "0.016"  # the smallest of eight seeds, 2/256, for two rows
    assert dropout[4] == "2.00"
    assert float(norm[3]) > 0.05


def test_shares_of_packs_are_no_training_times_to_compare():
    results = {arm: [0.9, 0.8] for arm in ("full", "without-dropout", "without-norm")}
    evidence = evidence_of(results, factors=FACTORS, design="leave-one-out")
    evidence.trials["cost.pack_size"] = 4.0
    assert ablations(evidence).columns[-1] == "p, corrected"
    table = all_arms(evidence)
    assert [row[-1].text for row in table.rows[:3]] == ["1.0 (share)", "2.0 (share)", "2.0 (share)"]
    assert "no time of its own" in table.note
    evidence.trials.loc[evidence.trials["arm"] != "without-norm", "cost.pack_size"] = 1.0
    evidence = replace(evidence, trials=evidence.trials)
    assert [row[-1].text for row in ablations(evidence).rows] == ["1", "2.00", "–"]
    assert [row[-1].text for row in all_arms(evidence).rows[:3]] == ["1.0", "2.0", "2.0 (share)"]


def test_an_ablation_that_failed_says_so():
    evidence = evidence_of(
        {"full": [0.9, 0.8], "without-norm": [0.7, 0.6]}, factors=FACTORS, design="leave-one-out"
    )
    (row,) = [row for row in ablations(evidence).rows if row[0].text.startswith("dropout")]
    assert [cell.text for cell in row[1:]] == ["–"] * 4
    assert all(cell.reason for cell in row[1:])


def test_factors_that_are_crossed_have_interactions_and_no_ablations():
    results = {f"{d}-{n}": [0.5, 0.6] for d in ("0.2", "0.0") for n in ("batch", "none")}
    evidence = evidence_of(results, factors=FACTORS)
    assert ablations(evidence) is None
    picture = interactions(evidence, evidence.primary_metric)
    assert len(picture.panels) == 1
    assert "dropout × norm" in picture.svgs()[0]
    del results["0.0-none"]
    assert interactions(evidence_of(results, factors=FACTORS), "test.accuracy") is not None


@pytest.mark.parametrize(("candidates", "known"), [(12, True), (4, False)])
def test_importance_is_pooled_over_arms_of_the_same_settings(candidates, known):
    generator = np.random.default_rng(1)
    searched = [
        (arm, {"optimizer.lr": 10.0**-power, "batch_size": int(size)}, offset - abs(power - 2))
        for arm, offset in (("full", 0.0), ("without-norm", 50.0))
        for power, size in zip(
            generator.uniform(1, 4, candidates // 2), generator.integers(16, 128, 99), strict=False
        )
    ]
    evidence = evidence_of(
        {"full": [0.9]}, searched, factors=FACTORS, design="leave-one-out",
        search={
            "space": {"optimizer.lr": {"log": [1e-4, 0.1]}, "batch_size": {"integer": [16, 128]}},
            "candidates": candidates // 2,
        },
    )  # fmt: skip
    ((arms, count, rate, size),) = importance(evidence).rows
    assert arms.text == "full and without-norm"
    assert count.text == str(candidates)
    if known:  # the difference of 50 between the arms counts for neither setting
        assert int(rate.text.split()[0]) > int(size.text.split()[0])
    else:
        assert rate.text == "–"
        assert rate.reason


def test_arms_of_another_metric_count_for_no_importance():
    searched = [
        (arm, {"optimizer.lr": 10.0**-power, "batch_size": 16 * power}, value)
        for arm, sign in (("full", 1.0), ("without-norm", math.nan))
        for power, value in zip(range(1, 13), [sign * n for n in range(12)], strict=True)
    ]
    evidence = evidence_of(
        {"full": [0.9]}, searched, factors=FACTORS, design="leave-one-out",
        search={
            "space": {"optimizer.lr": {"log": [1e-13, 1]}, "batch_size": {"integer": [1, 256]}},
            "candidates": 12,
        },
    )  # fmt: skip
    ((arms, count, *_),) = importance(evidence).rows
    assert (arms.text, count.text) == ("full", "12")
