import math

from tracking_examples import EPOCHS, INFO, execution, point, record, trial, verdict

from harness.track import TrialInfo, runs
from harness.track.runs import TrialRun
from harness.track.views import note, verdict_section
from harness.trial import State


def values(points):
    return {(p.name, p.step): p.value for p in points}


def test_a_result_that_has_a_curve_gets_a_name_of_its_own():
    found = values(runs.record_points(record(trial(1))))
    assert found["test/accuracy", 0] == 0.9
    assert found["selected/validation.accuracy", 0] == 0.4
    assert found["validation/accuracy", EPOCHS] == 0.1 * EPOCHS
    assert found["cost/seconds", 0] == 0.2


def test_only_missing_epochs_are_sent():
    found = values(runs.record_points(record(trial(1)), [1, 2]))
    assert {step for name, step in found if name == "train/loss"} == {3, 4}


def test_what_is_no_number_is_absent():
    diverged = record(
        trial(1), State.DIVERGED, metrics={"a": math.nan, "b": math.inf, "c": 1.0}, curve=()
    )
    assert {p.name for p in runs.record_points(diverged)} == {"c", "cost/seconds"}


def test_epochs_lie_within_the_time_of_the_trial():
    one = record(trial(1), started=100.0, ended=108.0)
    times = [p.time for p in runs.record_points(one) if p.name == "train/loss"]
    assert times == [102_000, 104_000, 106_000, 108_000]


def test_a_trial_is_described_by_arm_levels_and_hyperparameters():
    described = TrialRun.of(trial(7), INFO, execution(), 1.0)
    expected = {"trial_id": trial(7).id, "study": "activations", "profile": "quick", "arm": "relu"}
    assert expected.items() <= described.tags.items()
    assert described.tags["phase"] == "confirmation"
    assert described.params["activation"] == "relu"
    assert described.params["optimizer.lr"] == "0.01"
    assert described.params["model.depth"] == "8"
    assert described.data[:2] == ("digits", "abcdef0123456789")


def test_names_and_values_fit_what_mlflow_takes():
    info = TrialInfo("a" * 400, {"größe=?": "x" * 9000})
    described = TrialRun.of(trial(1), info, execution(), 1.0)
    assert len(described.name) <= 250
    assert "größe__" in described.params
    assert max(len(value) for value in described.params.values()) <= 6000
    long = record(trial(1), State.FAILED, reason="x" * 10_000 + "ValueError")
    assert runs.record_tags(long)["reason"].endswith("ValueError")


def test_a_failure_gives_way_and_an_outcome_stays():
    assert not runs.stands_for("failed", record(trial(1)))
    assert runs.stands_for("failed", record(trial(1), State.FAILED))
    assert runs.stands_for("complete", record(trial(1), State.FAILED))
    assert not runs.stands_for(runs.LOST, record(trial(1)))
    assert not runs.stands_for("", record(trial(1)))


def test_the_description_is_a_table_in_markdown():
    section = verdict_section("quick", [verdict()])
    assert "| ReLU \\| wins | **supported** | 0.25 [0.125, 0.5] | 5 |" in section
    sections = {"verdicts.quick": section, "verdicts.full": "full"}
    text = note(execution(question="Why?"), "7", sections)
    question, *answers, links = text.split("\n\n")
    assert question == "Why?"
    assert links.startswith("[Confirmed runs, one by one](#/experiments/7/runs?")
    assert answers[:2] == ["full", "### Profile quick: 1 supported"]


def test_a_point_without_an_epoch_counts_its_place():
    unnumbered = [{"loss": 2.0}, {"loss": 1.0}]
    assert [p.step for p in runs.curve_points(unnumbered, 5)] == [1, 2]
    assert [p.step for p in runs.curve_points([point(3)], 5)] == [3, 3]


def test_long_trainings_are_drawn_by_fewer_and_fewer_epochs_to_their_end():
    long = record(trial(1), curve=tuple(point(n) for n in range(1, 5002)))
    steps = sorted({p.step for p in runs.record_points(long)} - {0})
    assert steps[:320] == list(range(1, 321))
    assert [s for s in steps if 320 < s <= 640] == list(range(322, 641, 2))
    assert steps[-2:] == [4992, 5001]
    assert len(steps) == 320 + 3 * 160 + 152 + 1
