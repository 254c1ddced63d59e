"""What a study cost beside its forecast, and what sensors measured: absent is never a zero."""

from dataclasses import replace

import pytest

from harness.report.panels import cost as costs


@pytest.fixture(scope="module")
def evidence(finished):
    return finished.evidence


def with_joules(evidence, unmeasured=()):
    trials = evidence.trials.assign(**{"spent.joules": 100.0})
    trials.loc[trials["arm"].isin(unmeasured), "spent.joules"] = float("nan")
    return replace(evidence, trials=trials)


def cells(table, column):
    place = table.columns.index(column)
    return {row[0].text: row[place].text for row in table.rows}


def test_a_first_run_has_no_forecast(evidence):
    """Nothing had told how long a trial takes here."""
    said = costs.in_words(evidence)
    assert said.endswith(" s of one worker")
    table = costs.by_arm(evidence)
    assert table.columns == ["Arm", "Distinct trials", "Worker time"]
    assert all(text.endswith(" s") for text in cells(table, "Worker time").values())


def with_forecast(evidence):
    told = {arm.name: {"worker_seconds": 2.0} for arm in evidence.plan.all_arms}
    context = {**evidence.execution.context, "forecast": told}
    return replace(evidence, execution=replace(evidence.execution, context=context))


def test_a_run_stands_beside_its_forecast(evidence):
    evidence = with_forecast(evidence)
    said = costs.in_words(evidence)
    assert " s of one worker (forecast: " in said
    table = costs.by_arm(evidence)
    assert set(cells(table, "Arm")) == {arm.name for arm in evidence.plan.all_arms}
    assert cells(table, "Worker time") == cells(table, "Worker time, this run")
    assert all(text.endswith(" s") for text in cells(table, "Worker time, forecast").values())
    assert "Energy" not in table.columns


def test_what_diverged_has_cost_something(evidence):
    hot = evidence.trials[evidence.trials["arm"] == "hot"]
    assert set(hot["state"]) == {"diverged"}
    assert (hot["spent.worker_seconds"] > 0).all()
    assert cells(costs.by_arm(evidence), "Worker time")["hot"] != "–"


def test_nothing_is_compared_where_nothing_ran(evidence):
    reused = replace(evidence, trials=evidence.trials.assign(reused=True))
    assert costs.in_words(reused) == ""


def test_older_records_have_no_table_by_arm(evidence):
    execution = replace(evidence.execution, context={"file": ""})
    assert costs.by_arm(replace(evidence, execution=execution)) is None


def test_energy_is_summed_where_every_trial_was_measured(evidence):
    measured = with_joules(evidence, unmeasured=["hot"])
    energy = cells(costs.by_arm(measured), "Energy")
    assert energy["relu-1"] == "700 J", "two search trials and five of confirmation"
    assert energy["hot"] == "–"
    mine = measured.confirmation
    relu = list(mine[mine["arm"].isin(["relu-1", "tanh-1"])]["trial_id"])
    assert costs.of_claim(measured, relu)[1] == "1.00 kJ"
    assert costs.of_claim(measured, list(mine["trial_id"]))[1] == ""
    assert costs.of_claim(evidence, relu)[1] == ""
    assert "(forecast: " in costs.in_words(with_forecast(measured))
    assert costs.in_words(with_joules(evidence)).endswith(", 5.20 kJ")
    assert cells(costs.by_phase(measured), "Energy")["Together"] == "–"
    assert cells(costs.by_phase(with_joules(evidence)), "Energy")["Together"].endswith(" kJ")
