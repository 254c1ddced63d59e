"""Timing blocks: what they are, what identifies them, and what claims on seconds rest on."""

import json
import os
import sqlite3
from dataclasses import replace

import numpy as np
import pytest

from harness.cli.app import run
from harness.cluster.blocks import Block, in_fresh_process
from harness.data import data_of
from harness.errors import InputError
from harness.machine import machine
from harness.plan import FIXED, Winner, make_plan
from harness.study import load_study
from harness.train import timing as train_timing
from harness.train.timing import Subject, time_block
from harness.train.updates import at_step
from harness.trial import TIMED_BY, Phase, State

STUDY = """
study: layers
question: What does a wider layer cost?
workload:
  data: digits
  model: {name: mlp, depth: 2, width: 8}
  optimizer: {name: adam, lr: 1.0e-3}
  epochs: 1
  batch_size: 32
simple_baseline: none
factors: {activation: {path: model.activation, levels: [relu, tanh]}}
arms: {wide: {model.width: 1500}}
seeds: 5
"""
SLOWER = """
timing: {blocks: 5, repetitions: 5, warm_up: 2}
claims:
  - {id: wide-is-slower, says: Wide layers take longer, metric: timing.step_seconds,
     ratio: [{arm: wide}, {activation: relu}], greater_by: 1}
"""
OWN = """
import time
def fit(config, report):
    time.sleep(config["pause"])
    report({"validation.accuracy": 0.5})
"""
OWN_STUDY = """
study: own
question: How long does it take?
workload:
  data: digits
  training: {name: "timed_by_us:fit", metric: validation.accuracy, settings: {pause: 0.02}}
  epochs: 1
simple_baseline: none
factors: {pause: {levels: {quick: {training.settings.pause: 0.02},
                           slow: {training.settings.pause: 0.4}}}}
seeds: 5
timing: {measure: [training], blocks: 5}
"""


def loaded(tmp_path, text=SLOWER, *overrides):
    file = tmp_path / "layers.yaml"
    file.write_text(STUDY + text)
    return load_study(file, None, overrides)


def plan_of(found, **prints):
    plan = make_plan(found.study, found.arms, overrides=found.overrides)
    return replace(plan, fingerprints=prints)


def blocks_of(found, where=None, winners=None):
    plan = plan_of(found)
    chosen = {arm.name: [FIXED] for arm in plan.timed_arms} | (winners or {})
    return plan.timing_blocks(chosen, where or machine(False))


def ids_of(blocks):
    return [item.trial.id for items in blocks for item in items]


def subjects_of(items, dataset):
    return [Subject(item.trial, dataset.for_phase(Phase.TIMING)) for item in items]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return data_of({"name": "digits", "limit": 300, "validation_fraction": 0.2}).load(
        tmp_path_factory.mktemp("data")
    )


# --- what a study says ----------------------------------------------------------------------------
def test_true_stands_for_all_defaults(tmp_path):
    timing = loaded(tmp_path, "timing: true").study.timing
    assert timing == loaded(tmp_path, "timing: {}").study.timing
    assert (timing.measure, timing.blocks) == (["step"], 8)
    assert loaded(tmp_path, "timing: false").study.timing is None


CLAIM = """
claims:
  - {{id: c, says: It is faster, metric: {}, {}}}
"""
CONTRAST = "contrast: {activation: [relu, tanh]}, less_by: 0"


@pytest.mark.parametrize(
    ("section", "metric", "rest", "message"),
    [
        ("probes: [step_time]", "probe.step_time", CONTRAST,
         r"claims\[0\].metric: probe.step_time is measured inside trials.*write `timing: true` in "
         "the study, and `metric: timing.step_seconds` here"),
        ("probes: [step_time]", "probe.step_time", "of: {activation: relu}, below: 1",
         "timing.step_seconds"),
        ("probes: [{name: step_time, against: {model.activation: tanh}}]", "probe.step_time_ratio",
         "of: {activation: relu}, below: 1", "timing.step_seconds"),
        ("", "cost.seconds", CONTRAST, r"`timing: \{measure: \[training\]\}`.*training_seconds"),
        ("", "cost.step_seconds", CONTRAST, "timing.step_seconds"),
        ("", "cost.worker_seconds", CONTRAST, "timing.training_seconds"),
        ("", "timing.step_seconds", CONTRAST, "nothing is timed: write `timing: true`"),
        ("timing: true", "timing.inference_seconds", CONTRAST,
         "`timing.measure` does not name inference"),
        ("timing: true", "timing.step_second", CONTRAST, "did you mean 'timing.step_seconds'"),
        ("timing: {on: {activation: relu}}", "timing.step_seconds", CONTRAST,
         "the arm 'tanh' is not among those that `timing.on` selects"),
        ("timing: true", "timing.step_seconds", "of: {activation: relu}, below: -1",
         "below: never holds"),
        ("timing: true", "timing.step_seconds", CONTRAST + ", diverged: 1", "nothing diverges"),
        ("timing: true\narms: {large: {batch_size: 64}}", "timing.step_seconds",
         "ratio: [{arm: large}, {activation: relu}], less_by: 0",
         "batch sizes of these arms are 32 and 64.*timing.example_seconds"),
        ("timing: true\nsearch: {space: {batch_size: {choice: [16, 32]}}, candidates: 2}",
         "timing.step_seconds", CONTRAST, "batch sizes of these arms are searched"),
        ("timing: true\narms: {tree: {model: gradient_boosting}}", "timing.step_seconds",
         "ratio: [{arm: tree}, {activation: relu}], less_by: 0",
         r"tree is a simple model.*measure: \[training\]"),
        ("timing: true\nresources: {workers: 2}", "test.accuracy", CONTRAST, "one process"),
        ("timing: {on: {activation: silu}}", "test.accuracy", CONTRAST, "timing.on: .*no level"),
        ("timing: {blocks: 4}", "test.accuracy", CONTRAST, "timing.blocks"),
        ("timing: {measure: [steps]}", "test.accuracy", CONTRAST, "timing.measure"),
        ("timing: {measure: [target]}", "test.accuracy", CONTRAST, "`target` and .* go together"),
        ("timing: {target: {value: 0.9}}", "test.accuracy", CONTRAST, "`target` and .* together"),
        ("timing: {measure: [target], target: {value: 0.9, metric: validation.recall}}",
         "test.accuracy", CONTRAST, r"timing.target.metric: .*no validation.recall \(it has"),
        ("timing: true", "timing.target_seconds", CONTRAST, "does not name target, which gives"),
        ("", "timing.target_seconds", CONTRAST, r"measure: \[target\], target: "),
        ("timing: {measure: [workers], workers: [2]}", "test.accuracy", CONTRAST, "step, workers"),
        ("timing: {measure: [step, workers]}", "test.accuracy", CONTRAST, "`workers` and .* go"),
        ("timing: {measure: [step, workers], workers: [2, 2]}", "test.accuracy", CONTRAST, "twice"),
        ("timing: {measure: [step, workers], workers: [2]}", "timing.speedup_3", CONTRAST,
         "`timing.workers` does not name 3"),
        ("timing: true", "timing.speedup_2", CONTRAST, "does not name workers, which gives"),
        ("timing: true", "timing.speedup", CONTRAST, "blocks measure no timing.speedup"),
        ("timing: {measure: [step, workers], workers: [2]}\nprofiles: {full: {}}\n"
         "arms: {normed: {model.norm: batch}}", "timing.speedup_2",
         "ratio: [{arm: normed}, {activation: relu}], less_by: 0", "batch normalization in normed"),
    ],
)  # fmt: skip
def test_what_cannot_be_timed_is_refused(tmp_path, section, metric, rest, message):
    base = STUDY.replace("arms: {wide: {model.width: 1500}}\n", "")
    file = tmp_path / "layers.yaml"
    file.write_text(base + section + CLAIM.format(metric, rest))
    with pytest.raises(InputError, match=message):
        load_study(file)


def test_per_example_arms_of_unequal_batches_are_compared(tmp_path):
    text = "timing: true" + CLAIM.format(
        "timing.example_seconds", "ratio: [{arm: wide}, {activation: relu}], less_by: 0"
    )
    loaded(tmp_path, text, "arms.wide.batch_size=64")


def test_a_claim_on_seeds_in_instalments_and_on_blocks_is_two_claims(tmp_path):
    text = """
timing: true
claims:
  - id: both
    says: Better and faster
    all_of:
      - {metric: test.accuracy, contrast: {activation: [relu, tanh]}, greater_by: 0}
      - {metric: timing.step_seconds, contrast: {activation: [relu, tanh]}, less_by: 0}
"""
    loaded(tmp_path, text)
    with pytest.raises(InputError, match=r"claims\[0\].all_of: .*make two claims of it"):
        loaded(tmp_path, text, "seeds={start: 5, step: 5, max: 10}")


# --- identity -------------------------------------------------------------------------------------
def test_a_block_has_one_trial_of_each_arm_and_is_known_by_all_of_them(tmp_path):
    found = loaded(tmp_path)
    blocks = blocks_of(found)
    assert [[item.arm for item in items] for items in blocks] == [["relu", "tanh", "wide"]] * 5
    assert [items[0].trial.seed for items in blocks] == [0, 1, 2, 3, 4]
    assert all(item.trial.phase is Phase.TIMING for items in blocks for item in items)
    assert len(set(ids_of(blocks))) == 15
    assert ids_of(blocks) == ids_of(blocks_of(found))


@pytest.mark.parametrize(
    "change",
    ["timing.repetitions=6", "timing.blocks=6", "timing.warm_up=3", "resources.cpus=2",
     "arms.wide.model.width=1501", "timing.measure=[step, inference]"],
)  # fmt: skip
def test_what_changes_a_block_has_it_measured_anew(tmp_path, change):
    before = ids_of(blocks_of(loaded(tmp_path)))
    assert not set(before) & set(ids_of(blocks_of(loaded(tmp_path, SLOWER, change))))


def test_blocks_of_two_machines_are_not_mixed(tmp_path):
    found, here = loaded(tmp_path), machine(False)
    before = ids_of(blocks_of(found, here))
    for other in ({"host": "another"}, {"processor": "faster"}, {"accelerator": "a GPU"}):
        assert not set(before) & set(ids_of(blocks_of(found, here | other)))


def test_blocks_take_the_winners_of_repeated_searches_in_turn(tmp_path):
    winners = [Winner(i, {"optimizer.lr": lr}) for i, lr in enumerate((0.1, 0.2))]
    blocks = blocks_of(loaded(tmp_path), winners={"relu": winners})
    rates = [items[0].trial.workload["optimizer"]["lr"] for items in blocks]
    assert rates == [0.1, 0.2, 0.1, 0.2, 0.1]


def test_a_section_of_timing_leaves_trials_and_old_plans_alone(tmp_path):
    with_, without = plan_of(loaded(tmp_path)), plan_of(loaded(tmp_path, ""))
    ids = [
        [item.trial.id for arm in plan.arms for item in plan.confirmation_trials(arm, [FIXED])]
        for plan in (with_, without)
    ]
    assert ids[0] == ids[1]
    assert with_.trial_counts() == without.trial_counts() | {"timing": 15}
    assert with_.hash != without.hash


# --- measurement ----------------------------------------------------------------------------------
def test_more_work_takes_longer_and_the_order_is_random_and_kept(tmp_path, digits):
    found = loaded(tmp_path, SLOWER, "timing.measure=[step, inference]")
    first, second = (time_block(subjects_of(items, digits), 1) for items in blocks_of(found)[:2])
    assert {record.state for record in first} == {State.COMPLETE}
    narrow, _, wide = first
    for name in ("timing.step_seconds", "timing.inference_seconds", "timing.example_seconds"):
        assert wide.metrics[name] > 2 * narrow.metrics[name] > 0
    assert narrow.metrics["timing.example_seconds"] == pytest.approx(
        narrow.metrics["timing.step_seconds"] / 32
    )
    assert len(narrow.details["timing.step.seconds"]) == 5
    places = np.array([record.details["timing.step.place"] for record in first])
    assert np.array_equal(np.sort(places, axis=0), np.tile([[0], [1], [2]], 5))
    assert len({tuple(column) for column in places.T}) > 1
    again = time_block(subjects_of(blocks_of(found)[0], digits), 1)
    assert [r.details["timing.step.place"] for r in again] == places.tolist()
    assert [r.details["timing.step.place"] for r in second] != places.tolist()
    assert narrow.details["timing.cores"][0] >= 1
    assert len(narrow.details["timing.load"]) == 2
    assert narrow.cost["worker_seconds"] > 0
    assert narrow.deterministic_part()["metrics"] == {}


def test_a_whole_training_is_timed_of_networks_and_simple_models(tmp_path, digits):
    found = loaded(
        tmp_path, "timing: {blocks: 5, measure: [training]}",
        "arms={tree: {model: nearest_neighbours}}",
    )  # fmt: skip
    records = time_block(subjects_of(blocks_of(found)[0], digits), 1)
    assert [record.reason for record in records] == [""] * 4
    assert all(record.metrics["timing.training_seconds"] > 0 for record in records)


def test_a_whole_training_of_ones_own_is_timed(tmp_path, digits, monkeypatch):
    (tmp_path / "timed_by_us.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "own.yaml"
    file.write_text(OWN_STUDY)
    quick, slow = time_block(subjects_of(blocks_of(load_study(file))[0], digits), 1)
    assert (quick.reason, slow.reason) == ("", "")
    seconds = [record.metrics["timing.training_seconds"] for record in (quick, slow)]
    assert seconds[0] >= 0.02  # what it sleeps at least, however busy the machine is
    assert seconds[1] >= 0.4
    with pytest.raises(InputError, match=r"timing: quick has a `training` of its own.*whole"):
        load_study(file, None, ["timing.measure=[step]"])


TOGETHER = """
timing: {measure: [step, workers], workers: [2, 3], blocks: 5, repetitions: 6, warm_up: 2}
"""


@pytest.mark.slow
def test_several_workers_take_the_steps_of_one_unless_they_drop_other_units(tmp_path, digits):
    changes = ("workload.model.dropout=0.0", "arms.wide.model.width=64",
               "arms.wide.model.dropout=0.5")  # fmt: skip
    found = loaded(tmp_path, TOGETHER, *changes)
    records = time_block(subjects_of(blocks_of(found)[0], digits), 1)
    assert [record.reason for record in records] == [""] * 3
    for record, drops in zip(records, (False, False, True), strict=True):
        for count in (2, 3):
            difference = record.metrics[f"timing.loss_difference_{count}"]
            assert difference > 1e-3 if drops else difference < 1e-4
            speedup = record.metrics[f"timing.speedup_{count}"]
            assert record.metrics[f"timing.efficiency_{count}"] == pytest.approx(speedup / count)
            alone, others = (
                np.median(record.details[f"timing.{name}.seconds"])
                for name in ("step", f"step_{count}")
            )
            assert speedup == pytest.approx(alone / others)
    places = [record.details[f"timing.{name}.place"] for record in records
              for name in ("step", "step_2", "step_3")]  # fmt: skip
    assert np.array_equal(np.sort(places, axis=0), np.tile(np.arange(9)[:, None], 6))


UNTIL = "timing: {measure: [target], target: {value: 0.8}, blocks: 5}"


def test_steps_are_timed_until_a_metric_reaches_a_target(tmp_path, digits, monkeypatch):
    more = ("workload.epochs=40", "workload.optimizer.lr=0.01", "arms.wide.model.width=64")
    taken = []

    def counted(number, horizon):
        taken[-1] += 1
        return at_step(number, horizon)

    monkeypatch.setattr(train_timing, "at_step", counted)
    for value in (0.3, 0.8):
        taken.append(0)
        found = loaded(tmp_path, UNTIL, *more, f"timing.target.value={value}")
        records = time_block(subjects_of(blocks_of(found)[0], digits), 1)
        assert [record.reason for record in records] == [""] * 3
        for record in records:
            assert record.details["timing.target.seconds"] == [
                record.metrics["timing.target_seconds"]
            ]
            assert record.metrics["timing.target_seconds"] > 0
    assert 0 < taken[0] < taken[1]


def test_a_target_that_is_not_reached_fails_the_block_and_says_so(tmp_path, digits):
    never = ("arms={}", "workload.epochs=1", "timing.target.value=1.0")
    for more, epochs in (((), 1), (("timing.target.epochs=2",), 2)):
        found = loaded(tmp_path, UNTIL, *never, *more)
        records = time_block(subjects_of(blocks_of(found)[0], digits), 1)
        assert {record.state for record in records} == {State.FAILED}
        told = "\n".join(record.reason for record in records)
        assert f"validation.accuracy did not reach 1 in {epochs} epochs" in told


def test_a_training_that_diverges_reaches_no_target(tmp_path, digits):
    text = "timing: {measure: [target], target: {metric: validation.loss, value: 1.0}, blocks: 5}"
    wild = ("arms={}", "workload.optimizer={name: sgd, lr: 1.0e30}", "workload.epochs=2")
    records = time_block(subjects_of(blocks_of(loaded(tmp_path, text, *wild))[0], digits), 1)
    assert {record.state for record in records} == {State.FAILED}


def test_what_blocks_measure_is_known_by_name_and_direction(tmp_path):
    plan = plan_of(loaded(tmp_path, TOGETHER))
    assert plan.study.timing.metrics == [
        "timing.step_seconds", "timing.example_seconds",
        *(f"timing.{name}_{count}" for count in (2, 3)
          for name in ("speedup", "efficiency", "loss_difference")),
    ]  # fmt: skip
    assert plan.metric("timing.speedup_3").meaning == "speedup by 3 workers"
    goals = [plan.metric(f"timing.{name}").goal for name in ("speedup_2", "target_seconds")]
    assert goals == ["maximize", "minimize"]
    assert plan.metric("timing.step_seconds").goal == "minimize"


def test_a_target_of_losses_that_differ_is_compared_by_nobody(tmp_path):
    text = """
timing: {measure: [target], target: {metric: validation.loss, value: 0.5}}
arms: {squares: {loss: one_hot_squared_error}}
claims:
  - {id: c, says: It is sooner there, metric: timing.target_seconds,
     ratio: [{arm: squares}, {activation: relu}], less_by: 0}
"""
    file = tmp_path / "layers.yaml"
    file.write_text(STUDY.replace("arms: {wide: {model.width: 1500}}\n", "") + text)
    with pytest.raises(InputError, match=r"timing.target_seconds is made of validation.loss, and"):
        load_study(file)


def test_an_arm_that_fails_fails_its_block(tmp_path, digits):
    items = blocks_of(loaded(tmp_path))[0]
    subjects = subjects_of(items, digits)
    workload = {**items[1].trial.workload, "model": {"name": "mlp", "depth": "deep"}}
    subjects[1] = replace(subjects[1], trial=replace(items[1].trial, workload=workload))
    records = time_block(subjects, 1)
    assert {record.state for record in records} == {State.FAILED}
    assert "depth" in records[1].reason
    assert records[0].reason == (
        f"its block failed at the trial {subjects[1].trial.id}, whose record says why"
    )


class Ends:
    def __reduce__(self):
        return os._exit, (3,)


def test_a_block_whose_process_dies_is_a_failure(tmp_path):
    trials = tuple(item.trial for item in blocks_of(loaded(tmp_path))[0])
    block = Block(trials, {}, {"ends": Ends()})
    records = in_fresh_process(block)
    assert [record.trial_id for record in records] == [trial.id for trial in trials]
    assert {record.state for record in records} == {State.FAILED}
    assert "the process of its block ended" in records[0].reason


# --- from the study file to the verdict -----------------------------------------------------------
def in_this_process(block):
    """Measure a block as a fresh process would, which imports PyTorch for seconds before."""
    return time_block([Subject(t, block.data[t.data_fingerprint]) for t in block.trials], 1)


@pytest.mark.slow
@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_blocks_are_measured_judged_shown_and_measured_once(tmp_path, capsys, monkeypatch):
    """The block that is measured once more is so in a process of its own, as all of a run are."""
    file = tmp_path / "layers.yaml"
    file.write_text(STUDY.replace("data: digits", "data: {name: digits, limit: 300}") + SLOWER)
    monkeypatch.setattr("harness.cluster.blocks.in_fresh_process", in_this_process)
    results, reports = tmp_path / "results", tmp_path / "reports"
    common = ["run", str(file), "--in-process", "--results", str(results), "--out", str(reports)]
    assert run([*common, "--json"]) == 0
    (verdict,) = json.loads(capsys.readouterr().out)["claims"]
    assert (verdict["verdict"], verdict["seeds"]) == ("supported", 5)
    assert verdict["interval_over"] == "blocks"
    assert "5 blocks" in verdict["reason"]
    page = (reports / "layers" / "report.md").read_text()
    for part in ("## Timing", "5 of 5", "5 blocks"):
        assert part in page

    assert run(["plan", str(file), "--results", str(results), "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["trials"]["by_phase"]["timing"]["total"] == 15
    assert planned["timing"]["arms"] == ["relu", "tanh", "wide"]

    def stored():
        rows = sqlite3.connect(results / "harness.db").execute(
            "SELECT trial_id, record FROM records WHERE phase = 'timing'"
        )
        return {id_: json.loads(text) for id_, text in rows}

    before = stored()
    assert len(before) == 15
    of_third = sorted(id_ for id_, r in before.items() if r["trial"]["seed"] == 3)
    with sqlite3.connect(results / "harness.db") as database:  # as if the run had ended before it
        database.execute("DELETE FROM records WHERE trial_id = ?", of_third[:1])
    monkeypatch.setattr("harness.cluster.blocks.in_fresh_process", in_fresh_process)
    assert run(common) == 0
    after = stored()
    assert before.keys() == after.keys()
    assert sorted(id_ for id_ in before if before[id_] != after[id_]) == of_third

    monkeypatch.setattr("harness.cluster.blocks.in_fresh_process", in_this_process)
    again = [*common, "--set", "timing.blocks=6", "--json"]
    assert run(again) == 0
    capsys.readouterr()
    assert len(stored()) == 15 + 18  # another number of blocks has them all measured anew
    page = (reports / "layers" / "report.md").read_text()
    assert "blocks of this study were measured before, in 2 earlier executions" in page
    assert run(["verify", "--results", str(results), "--out", str(reports)]) == 0


def test_how_a_trial_is_timed_is_no_setting_of_its_training(tmp_path):
    trial = blocks_of(loaded(tmp_path))[0][0].trial
    assert TIMED_BY not in Subject(trial, None).plain.workload
