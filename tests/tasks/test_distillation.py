"""A student that learns from a teacher: its loss, its teacher, what validate refuses, its study."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.cli.app import run
from harness.study import InputError, load_study
from harness.study.workload import Workload
from harness.tasks.distillation import soft_loss
from harness.train import Checkpoints, Setting, train_in
from harness.train.device_data import Division, Normalization
from harness.train.stage_products import StageNetwork
from harness.trial import Given, Phase, Record, State, Trial
from harness.workloads import data_root, load

STUDENT = {
    "data": {"name": "digits", "limit": 300},
    "model": {"name": "mlp", "depth": 1, "width": 12},
    "optimizer": {"name": "adam", "lr": 5e-3},
    "batch_size": 32,
    "epochs": 4,
}
TAUGHT = {"task": {"name": "distillation", "weight": 1.0}, "uses": {"teacher": "stage"}}


def make(seed=0, phase=Phase.CONFIRMATION, **changes):
    settings = Workload.model_validate_json(json.dumps({**STUDENT, **changes}), strict=True)
    return Trial(settings.model_dump(mode="json"), seed, phase, "f", "c")


def train(trial, setting=None, **given):
    data = load(trial.workload["data"], data_root(None)).for_phase(trial.phase)
    events = train_in(replace(setting or Setting(), given=given), [trial], data)
    (record,) = [event for event in events if isinstance(event, Record)]
    assert record.state is State.COMPLETE, record.reason
    return record


@pytest.fixture(scope="module")
def teacher():
    trial = make(7, Phase.PRETRAINING, model={"name": "mlp", "depth": 1, "width": 64}, epochs=20)
    record = train(trial)
    form = load(trial.workload["data"], data_root(None)).form
    return Given(trial, form, record.products)


# --- the loss -------------------------------------------------------------------------------------
def test_the_soft_loss_is_its_definition():
    draws = torch.Generator().manual_seed(0)
    student, of_teacher = (torch.randn(5, 3, generator=draws).double() * 3 for _ in range(2))

    def softened(logits, temperature):
        raised = np.exp(logits.numpy() / temperature)
        return raised / raised.sum(axis=1, keepdims=True)

    for temperature in (1.0, 4.0):
        wanted, said = softened(of_teacher, temperature), softened(student, temperature)
        expected = temperature**2 * np.mean(np.sum(wanted * np.log(wanted / said), axis=1))
        assert float(soft_loss(student, of_teacher, temperature)) == pytest.approx(expected)
    assert float(soft_loss(student, student, 2.0)) == pytest.approx(0, abs=1e-12)


def test_a_student_that_does_not_listen_learns_what_it_would_alone(teacher):
    alone = train(make())
    deaf = train(make(**{**TAUGHT, "task": {"name": "distillation", "weight": 0.0}}),
                 teacher=teacher)  # fmt: skip
    for one, other in zip(alone.curve, deaf.curve, strict=True):
        assert other["train.loss"] == pytest.approx(one["train.loss"], rel=1e-3)
        assert {"train.hard_loss", "train.soft_loss"} <= set(other)
    assert deaf.metrics["test.loss"] == pytest.approx(alone.metrics["test.loss"], rel=1e-3)


def test_a_student_comes_closer_to_its_teacher_than_labels_take_it(teacher):
    def gap(**changes):
        """Return the divergence of a student of the labels, or of the teacher, from the teacher."""
        trial = make(phase=Phase.PRETRAINING, epochs=20, **changes)
        record = train(trial, **({"teacher": teacher} if "uses" in changes else {}))
        data = load(trial.workload["data"], data_root(None)).examples
        inputs = torch.from_numpy(data.inputs.astype(np.float32))
        nothing = Normalization([Division(*[np.empty(0, int)] * 2, 0.0, 1.0)], torch.device("cpu"))
        student = Given(trial, teacher.form, record.products)
        said, wanted = (
            StageNetwork(one, torch.device("cpu"), lambda: nothing).predictions(inputs)
            for one in (student, teacher)
        )
        return float(soft_loss(said, wanted, 4.0))

    assert gap(**TAUGHT) < 0.5 * gap()


# --- the teacher ----------------------------------------------------------------------------------
def test_a_teacher_reads_inputs_as_it_did_when_it_was_trained(teacher):
    raw = torch.rand(9, *teacher.form.shape)
    own = Normalization([Division(*[np.empty(0, int)] * 2, 0.3, 2.5)], torch.device("cpu"))
    stage = StageNetwork(teacher, torch.device("cpu"), lambda: own)
    mean, scale = teacher.products["normalization"].values()
    expected = stage.network(((raw - float(mean)) * float(scale)).float())
    found = stage.predictions((raw - 0.3) * 2.5)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert not found.requires_grad
    assert not any(parameter.requires_grad for parameter in stage.network.parameters())


def test_teaching_leaves_the_teacher_as_it_was_and_replays(teacher):
    before = {name: array.copy() for name, array in teacher.products["weights"].items()}
    first = train(make(**TAUGHT), teacher=teacher)
    assert first.deterministic_part() == train(make(**TAUGHT), teacher=teacher).deterministic_part()
    for name, array in teacher.products["weights"].items():
        assert np.array_equal(array, before[name])


def test_a_resumed_student_is_the_one_that_was_never_interrupted(teacher, tmp_path):
    trial = make(**TAUGHT)
    whole = train(trial, teacher=teacher)
    saving = Setting(checkpoints=Checkpoints(str(tmp_path), epochs=2))
    data = load(trial.workload["data"], data_root(None)).for_phase(trial.phase)
    events = train_in(replace(saving, given={"teacher": teacher}), [trial], data)
    for _ in range(3):  # the checkpoint of epoch 2 is written before epoch 3 is told
        next(events)
    events.close()
    again = train(trial, saving, teacher=teacher)
    assert again.cost["resumed_after_epoch"] == 2
    assert again.deterministic_part() == whole.deterministic_part()


# --- what is refused ------------------------------------------------------------------------------
STUDY = """\
study: taught
question: q
workload: {data: {name: digits, limit: 200}, model: {name: mlp, depth: 1, width: 8}, epochs: 2}
stages:
  large: {model.width: 32}
arms:
  alone: {}
  both: {task: distillation, uses: {teacher: large}}
seeds: 5
"""


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (", uses: {teacher: large}", "", "arm both: the task distillation needs a stage as"),
        ("teacher: large}", "teacher: lrge}", "taught.yaml:8:46: arms.both.uses.teacher: no stage"
         " is called 'lrge' (there are: large); did you mean 'large'?"),
        ("{teacher: large}", "{teacher: large, techer: large}", "distillation takes no stage as "
         "'techer'; did you mean 'teacher'?"),
        ("alone: {}", "alone: {uses: {teacher: large}}", "takes no stage as 'teacher'"),
        ("{model.width: 32}", "{training: {name: 'os:walk', products: [predictions]}, model: none,"
         " optimizer: adam}", "asks a network that the harness trained"),
        ("{model.width: 32}", "{task: distillation, uses: {teacher: large}}",
         "the stage 'large' uses products of itself"),
        ("{model.width: 32}", "{model: logistic_regression}", "has no weights"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_where_it_stands(before, after, message, tmp_path):
    file = tmp_path / "taught.yaml"
    file.write_text(STUDY.replace(before, after, 1))
    with pytest.raises(InputError) as caught:
        load_study(file)
    assert message in str(caught.value)


def test_a_teacher_of_other_classes_is_refused_before_anything_is_trained(tmp_path, capsys):
    file = tmp_path / "taught.yaml"
    file.write_text(STUDY.replace("{model.width: 32}", "{data: {classes: [0, 1, 2]}}"))
    assert run(["validate", "--build", str(file)]) == 2
    assert "so that its answers would mean other classes" in capsys.readouterr().err


# --- the study ------------------------------------------------------------------------------------
@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_the_study_comes_to_its_verdict(tmp_path, monkeypatch, capsys):
    study = Path(__file__).parents[2] / "studies" / "distillation.yaml"
    monkeypatch.chdir(tmp_path)
    command = ["run", str(study), "--profile", "quick", "--in-process", "--json"]
    command += ["--set", "workload.epochs=3", "--set", "seeds=5"]
    assert run(command) == 0
    result = json.loads(capsys.readouterr().out)
    assert [claim["id"] for claim in result["claims"]] == ["distillation-helps-students"]
    assert result["claims"][0]["verdict"] != "incomplete"
    # the teacher, the candidates of three arms, and these and the simple baseline on five seeds
    assert result["trials"]["complete"] == 1 + 3 * 8 + 4 * 5
    assert run(command) == 0
    assert json.loads(capsys.readouterr().out)["trials"]["complete"] == 0
