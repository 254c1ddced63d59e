"""Each thing that could weaken a verdict is found when it happens."""

from dataclasses import replace

import pytest
from report_examples import without_trials

from harness.integrity import Provenance, changed_claims, check
from harness.plan import make_plan
from harness.study import study_from_dict


@pytest.fixture
def checked(finished):
    """Return a function: evidence, verdicts, lost attempts, provenance give checks by id."""

    def build(evidence=None, verdicts=None, lost=(), provenance=None):
        found = check(
            evidence if evidence is not None else finished.evidence,
            verdicts if verdicts is not None else finished.verdicts,
            lost,
            provenance or Provenance(),
        )
        return {c.id: c for c in found}

    return build


def noted(checks):
    return {id_ for id_, c in checks.items() if c.outcome == "noted"}


def says(checks, id_):
    return " ".join(checks[id_].says)


def changed(evidence, mask, **columns):
    trials = evidence.trials.copy()
    for name, value in columns.items():
        trials.loc[mask(trials), name] = value
    return replace(evidence, trials=trials)


def test_a_whole_study_has_nothing_but_its_diverged_arm(checked):
    checks = checked()
    assert noted(checks) == {"learnt", "outcomes"}
    assert "5 trials diverged" in says(checks, "outcomes")
    assert "spent 6 epochs" in says(checks, "budgets")
    assert "Not searched" in says(checks, "budgets")
    assert checks["study-file"].outcome == "not checked"


def test_another_plan_hash(checked, finished):
    execution = replace(finished.evidence.execution, plan_hash="0" * 16)
    checks = checked(replace(finished.evidence, execution=execution))
    assert noted(checks) >= {"plan-hash"}
    assert "0" * 16 in says(checks, "plan-hash")


def test_a_changed_study_file_and_claim(checked, finished):
    provenance = Provenance(
        file="studies/odd-words.yaml", plan_hash="1" * 16, study_changed=True,
        changed=frozenset({"relu-loses"}),
    )  # fmt: skip
    verdicts = [
        replace(v, changed_after_evidence=v.id in ("relu-loses", "hot-fails"))
        for v in finished.verdicts
    ]
    checks = checked(verdicts=verdicts, provenance=provenance)
    assert noted(checks) >= {"study-file", "claims-changed"}
    assert "relu-loses and hot-fails" in says(checks, "claims-changed")
    assert "says otherwise today" in says(checks, "claims-changed")
    trouble = checked(provenance=Provenance(file="studies/odd-words.yaml", trouble="it is gone"))
    assert "it is gone" in says(trouble, "study-file")


def test_the_first_declaration_that_met_evidence_counts():
    judged = [("a", "one", 1.0), ("a", "two", 2.0), ("b", "x", 5.0), ("b", "y", 3.0)]
    assert changed_claims(judged, {"a": "one", "b": "y", "c": "z"}) == set()
    assert changed_claims(judged, {"a": "two", "b": "x"}) == {"a", "b"}


def test_missing_records(checked, finished):
    checks = checked(without_trials(finished.evidence, "tanh-3"))
    assert "records-missing" in noted(checks)
    gone = len(finished.evidence.trials[finished.evidence.trials["arm"] == "tanh-3"])
    assert f"{gone} of" in says(checks, "records-missing")
    rows = finished.evidence.trials.iloc[:-3]
    cut = checked(replace(finished.evidence, trials=rows))
    assert "3 of" in says(cut, "records-missing")


def test_failed_trials_and_lost_attempts(checked, finished):
    failed = changed(
        finished.evidence, lambda t: (t["arm"] == "relu-1") & (t["seed"] == 0), state="failed"
    )
    checks = checked(failed, lost=[("abc", 1, "the worker died")])
    assert "1 trial failed" in says(checks, "outcomes")
    assert "1 attempt was lost" in says(checks, "attempts-lost")


def test_unequal_budgets(checked, finished):
    def one(trials):
        return (trials["arm"] == "relu-3") & (trials["phase"] == "search")

    more = checked(changed(finished.evidence, one, epochs_spent=7.0))
    assert "6 for most arms, but relu-3 (14)" in says(more, "budgets")
    trials = finished.evidence.trials
    fewer = trials[~(one(trials) & (trials["candidate"] == 1))]
    less = checked(replace(finished.evidence, trials=fewer))
    assert "relu-3 (1 of 2)" in says(less, "budgets")
    assert noted(less) >= {"budgets", "records-missing"}


def test_duplicates_overrides_and_few_seeds(checked, finished):
    evidence = finished.evidence
    context = {**evidence.execution.context, "duplicates": {"digits": 3}}
    execution = replace(evidence.execution, context=context, status="interrupted")
    plan = make_plan(evidence.plan.study, evidence.plan.arms, overrides={"seeds": 5})
    verdicts = [replace(v, seeds=4, verdict="refuted") for v in finished.verdicts]
    checks = checked(replace(evidence, execution=execution, plan=plan), verdicts)
    assert noted(checks) >= {"duplicates", "execution", "seeds"}
    assert "3 test inputs of digits" in says(checks, "duplicates")
    assert "The execution is interrupted" in says(checks, "execution")
    assert "seeds = 5" in says(checks, "execution")
    unknown = replace(evidence.execution, context={**evidence.execution.context, "duplicates": {}})
    assert checked(replace(evidence, execution=unknown))["duplicates"].outcome == "not checked"


def test_arms_of_equal_results_cannot_be_told_apart(checked, finished):
    evidence, trials = finished.evidence, finished.evidence.trials.copy()
    arms = evidence.confirmation.groupby("arm")["state"].agg(lambda s: (s == "complete").all())
    one, other = [arm.name for arm in evidence.plan.arms if arms[arm.name]][:2]
    numbers = [c for c in trials if c.startswith(("test.", "validation.", "train."))]
    mine, theirs = (
        trials.index[(trials["phase"] == "confirmation") & (trials["arm"] == name)]
        for name in (one, other)
    )
    trials.loc[mine, numbers] = trials.loc[theirs, numbers].to_numpy()
    trials.loc[[*mine, *theirs], [c for c in trials if c.startswith("probe.")]] = 0.5
    checks = checked(replace(evidence, trials=trials))
    assert f"{one} and {other} cannot be told apart" in says(checks, "same-arms")
    trials.loc[mine[0], "test.loss"] += 1e-12
    assert checked(replace(evidence, trials=trials))["same-arms"].outcome == "fine"


def test_arms_that_are_alike_because_they_have_learnt_nothing_are_noted(checked, finished):
    evidence = finished.evidence
    claim = {"id": "alike", "says": "s", "metric": "test.accuracy", "within": 0.9,
             "contrast": {"activation": ["relu", "softmax"]}}  # fmt: skip
    study = evidence.plan.study.model_dump(mode="json", exclude_unset=True) | {"claims": [claim]}
    evidence = replace(evidence, plan=make_plan(*study_from_dict(study)))
    for simple, said in ((0.0, False), (1.0, True)):
        mine = changed(
            evidence, lambda t: t["arm"] == "simple-baseline", **{"test.accuracy": simple}
        )
        assert ("learnt" in checked(mine)) == said
    assert "No arm of alike has a better mean test.accuracy" in says(checked(mine), "learnt")
