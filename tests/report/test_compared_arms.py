"""What may stand side by side: arms of one test set, and numbers of one quantity."""

from dataclasses import replace

from harness.evidence import Evidence
from harness.figures import draw
from harness.judged import Part
from harness.report.panels.arms import leaderboards
from harness.report.panels.verdicts import Verdicts
from harness.report.verdicts import best_in_words, by_measure
from harness.report.view import ProfileView


def with_other_data(evidence: Evidence) -> Evidence:
    """Return evidence whose arm `hot` is tested on a table, and nothing else differs."""
    other = {"name": "table", "source": "vote"}
    arms = [
        replace(arm, workload={**arm.workload, "data": other}) if arm.name == "hot" else arm
        for arm in evidence.plan.arms
    ]
    trials = evidence.trials.copy()
    mine = (trials["arm"] == "hot") & (trials["phase"] == "confirmation")
    trials.loc[mine, ["test.accuracy", "validation.accuracy"]] = [0.999, 0.999]
    trials.loc[mine, "state"] = "complete"
    return replace(evidence, plan=replace(evidence.plan, arms=arms), trials=trials)


def test_one_data_set_is_one_group_whatever_its_training_examples(finished):
    evidence = finished.evidence
    (group,) = evidence.compared
    assert group.label == "digits"
    assert set(group.arms) == {arm.name for arm in evidence.plan.all_arms}
    fewer = [
        replace(arm, workload={**arm.workload, "data": {"name": "digits", "limit": 100}})
        for arm in evidence.plan.arms[:1]
    ]
    plan = replace(evidence.plan, arms=[*fewer, *evidence.plan.arms[1:]])
    assert len(replace(evidence, plan=plan).compared) == 1


def test_tasks_that_measure_the_same_are_one_group(finished):
    evidence = finished.evidence
    assert evidence.primary_metric == "test.accuracy"
    tasks = [{"name": "quantized_classification"}, {"name": "reconstruction"}]
    arms = [
        replace(arm, workload={**arm.workload, "task": task})
        for arm, task in zip(evidence.plan.arms, tasks, strict=False)
    ]
    plan = replace(evidence.plan, arms=[*arms, *evidence.plan.arms[2:]])
    groups = replace(evidence, plan=plan).compared
    assert [len(group.arms) for group in groups] == [len(evidence.plan.all_arms) - 1, 1]


def test_no_sentence_names_the_best_of_arms_on_different_data(finished):
    assert best_in_words(finished.evidence).startswith("Best by validation: ")
    mixed = with_other_data(finished.evidence)
    assert mixed.best_arm == "hot"  # 0.999 on a table, which says nothing about digits
    assert best_in_words(mixed) == (
        "Its arms are tested on different data and compared within each: digits and table."
    )


def test_each_data_set_has_a_leaderboard_and_a_panel_of_its_own(finished):
    mixed = with_other_data(finished.evidence)
    digits, table = leaderboards(mixed)
    assert [row[1].text for row in table.rows] == ["hot"]
    assert [row[0].text for row in table.rows] == ["Only arm"]
    assert "hot" not in [row[1].text for row in digits.rows]
    assert digits.name != table.name
    (picture,) = draw("at_a_glance", mixed, [])
    assert len(picture.panels) == 2
    assert "1 arm on table" in picture.alt
    (alone,) = draw("at_a_glance", finished.evidence, [])
    assert len(alone.panels) == 1


def test_groups_of_one_data_name_are_told_apart_by_their_settings(finished):
    evidence = finished.evidence
    sources = ["vote", "affairs"]
    arms = [
        replace(arm, workload={**arm.workload, "data": {"name": "table", "source": source}})
        for arm, source in zip(evidence.plan.arms, sources, strict=False)
    ]
    plan = replace(evidence.plan, arms=[*arms, *evidence.plan.arms[2:]])
    labels = [group.label for group in replace(evidence, plan=plan).compared]
    assert labels == ["table (source vote)", "table (source affairs)", "digits"]


def test_different_quantities_never_share_a_line(finished):
    verdict = finished.profiles["default"].verdicts[2]
    assert len(verdict.parts) == 2
    swapped = replace(verdict, parts=verdict.parts[::-1])
    lines = by_measure([verdict, swapped, None])
    assert [measures for measures, _ in lines] == [part.measures for part in verdict.parts]
    for measures, found in lines:
        assert {part.measures for part in found if isinstance(part, Part)} == {measures}
        assert found[2] is None


def test_the_plain_table_says_what_was_measured_and_has_a_row_for_each_part(finished):
    view = ProfileView(finished.profiles["default"])
    table = Verdicts().blocks(view)[0].table
    at = {name: place for place, name in enumerate(table.columns)}
    rows = [row for row in table.rows if row[at["Claim"]].text.startswith("tanh and ReLU")]
    whole = table.rows.index(rows[0])
    parts = table.rows[whole + 1 : whole + 3]
    assert rows[0][at["Effect"]].text == "–"
    assert "accuracy" in parts[0][at["Measured"]].text
    assert "dead units" in parts[1][at["Measured"]].text
