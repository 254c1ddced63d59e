"""The answer to a claim in a sentence: numbers in words, and no more than the interval allows."""

import math
from dataclasses import replace

import pytest

from harness.judged import Part
from harness.metrics import Metric, metric_of
from harness.report.answers import answers, certainty, sentence, told

SOLVED = Metric(
    "test.solved", "maximize", "0 or 1", "whether every example of the split is right", binary=True
)


def known(name):
    return SOLVED if name == SOLVED.name else metric_of(name)


def part(measures, effect, low, high, **more):
    return Part(measures, "> 0", "supported", None, "", effect, low, high, **more)


@pytest.mark.parametrize(
    ("measures", "numbers", "expected"),
    [
        (
            "test.accuracy: relu − sigmoid (depth 8, 16)", (0.4496, 0.4426, 0.4567),
            "relu is 44.96 percentage points better than sigmoid in test accuracy (depth 8, 16).",
        ),
        (
            "test.accuracy: sigmoid − relu", (-0.4496, -0.4567, -0.4426),
            "sigmoid is 44.96 percentage points worse than relu in test accuracy.",
        ),
        (
            "test.loss: relu − sigmoid", (-1.2, -1.3, -1.1),
            "The test loss of relu is 1.20 nats lower than that of sigmoid, which is better.",
        ),
        (
            "probe.dead_units: hot − leaky", (0.872, 0.808, 0.936),
            "The share of dead units of hot is 87.2 percentage points higher than that of leaky.",
        ),
        (
            "test.accuracy: relu − tanh", (0.0022, -0.0017, 0.0060),
            "relu is 0.22 percentage points above tanh in test accuracy; they may be equal.",
        ),
        (
            "timing.step_seconds: gelu ÷ relu (depth 8)", (1.347, 1.269, 1.429),
            "The time of a training step of gelu is 1.347 times that of relu (depth 8).",
        ),
        (
            "timing.step_seconds: gelu ÷ relu", (1.01, 0.99, 1.03),
            "The time of a training step of gelu is 1.010 times that of relu; they may be equal.",
        ),
        (
            "test.accuracy: relu", (0.971, 0.970, 0.972), "The test accuracy of relu is 97.10 %.",
        ),
        (
            "test.accuracy: (a − b) − (c − d)", (0.1, 0.05, 0.15),
            "Test accuracy: (a − b) − (c − d): 0.100.",
        ),
        (
            "median over seeds of test.accuracy: a − b", (0.1, 0.05, 0.15),
            "In the median over seeds, a is 10.0 percentage points better than b in test accuracy.",
        ),
        (
            "median over seeds of test.loss: a − b", (5.02, 4.1, 6.3),
            "In the median over seeds, the test loss of a is 5.0 nats higher than that of b, which"
            " is worse.",
        ),
        (
            "test.accuracy: change per doubling over 144, 480, 1437", (0.0038, -0.0054, 0.0129),
            "With each doubling over 144, 480, 1437, test accuracy rises by 0.38 percentage points;"
            " it may not change.",
        ),
        (
            "test.accuracy: change per doubling of tuned − scratch over labels (rate 1)",
            (-0.0072, -0.0121, -0.0022),
            "With each doubling of labels, the difference tuned − scratch in test accuracy falls by"
            " 0.72 percentage points (rate 1).",
        ),
        (
            "test.loss: exponent over parameters", (-0.31, -0.4, -0.2),
            "Test loss: exponent over parameters: −0.31.",
        ),
        (
            "test.bits: 1, 8, 58 at which the first arm overtakes the second", (58.0, 58.0, None),
            "The first arm is not shown to overtake the second in test bits: at 58.0 it is still"
            " behind.",
        ),
        (
            "test.accuracy: examples at which cnn overtakes mlp", (60.0, None, 60.0),
            "cnn is not shown to be behind mlp in test accuracy, and at examples 60.0 it is ahead.",
        ),
        (
            "test.accuracy: examples at which cnn overtakes mlp", (812.0, 700.0, 930.0),
            "cnn overtakes mlp in test accuracy at examples 812.",
        ),
        (
            "test.loss: measured / predicted by a power law: the largest width, 1 level held out",
            (1.02, 0.9, 1.1),
            "Test loss: measured / predicted by a power law: the largest width, 1 level held out:"
            " 1.02.",
        ),
        (
            "probe.covered_modes: standard", (0.6, 0.5, 0.7),
            "For standard, the share of classes with enough examples near is 60 %.",
        ),
        (
            "probe.covered_modes: standard − wasserstein", (-0.4, -0.5, -0.3),
            "standard is 40 percentage points worse than wasserstein in share of classes with"
            " enough examples near.",
        ),
        (
            "test.solved: relu − tanh", (-0.28, -0.5, -0.1),
            "Every example of the test split is right on 28 percentage points fewer seeds of relu"
            " than of tanh, which is worse.",
        ),
        (
            "test.solved: relu − tanh", (0.03, -0.1, 0.2),
            "Every example of the test split is right on 3 percentage points more seeds of relu"
            " than of tanh; they may be equal.",
        ),
        (
            "test.solved: or", (1.0, 0.9, 1.0),
            "Every example of the test split is right on 100.0 % of the seeds of or.",
        ),
        (
            "outcome.diverged: hot − cold", (0.5, 0.3, 0.7),
            "Trainings that diverged are 50 percentage points more with hot than with cold, which"
            " is worse.",
        ),
        (
            "outcome.diverged: hot", (0.5, 0.3, 0.7),
            "Of the seeds of hot, 50 % are trainings that diverged.",
        ),
        (
            "test.accuracy: a − b", (0.1, None, None),
            "a is 10.0 percentage points above b in test accuracy; they may be equal.",
        ),
    ],
)  # fmt: skip
def test_a_number_in_words(measures, numbers, expected):
    assert sentence(part(measures, *numbers), known) == expected


def test_a_sentence_goes_on_after_what_comes_first():
    row = part("test.accuracy over data sets (data): ReLU − tanh", 0.1, 0.05, 0.15)
    assert sentence(row, known) == (
        "On average over the data sets, ReLU is 10.0 percentage points better than tanh in test"
        " accuracy."
    )
    row = part("median over seeds of test.solved: a − b", 0.5, 0.3, 0.7)
    assert sentence(row, known).startswith("In the median over seeds, every example of the test")


def test_nothing_is_said_of_a_number_that_is_not_there():
    row = replace(part("test.accuracy: a − b", None, None, None), missing="a has no trial")
    assert sentence(row, metric_of) == "A has no trial."


def test_every_claim_of_a_study_has_its_answer(finished):
    result = finished.profiles["default"]
    found = answers(result.evidence, result.verdicts)
    assert [answer.row for answer in found] == list(result.verdicts)
    first = found[0]
    assert "percentage points" in first.sentence
    assert "over 5 seeds" in first.certainty
    assert found[2].sentence.startswith("Of its 2 parts this one decides: ")
    failed = found[3]  # a start that diverges has no number
    assert failed.row.effect is None
    assert failed.strip == ""


def test_two_answers_sum_a_study_up_and_differ_in_verdict_where_they_can(finished):
    result = finished.profiles["default"]
    found = answers(result.evidence, result.verdicts)
    kinds = {answer.row.verdict for answer in found}
    assert len({answer.row.verdict for answer in told(found)}) == min(2, len(kinds))
    explored = [replace(a, row=replace(a.row, exploratory="Seen before.")) for a in found[:1]]
    assert told([*explored, *found[1:]])[0].row.exploratory == ""


def test_strips_have_one_axis_whatever_the_unit(finished):
    """Effects as many half-widths from their bound stand at one place: accuracy or seconds."""
    row = finished.profiles["default"].verdicts[0]
    small = replace(row, effect=0.03, ci_low=0.02, ci_high=0.04, claimed=((0.01, math.inf),))
    large = replace(row, effect=300.0, ci_low=200.0, ci_high=400.0, claimed=((100.0, math.inf),))
    small, large = (replace(one, neutral=None) for one in (small, large))
    one, other = answers(finished.evidence, [small, large])
    assert one.strip == other.strip != ""


def test_the_interval_is_told_with_what_it_allows_for(finished):
    row = replace(
        finished.profiles["default"].verdicts[0], measures="test.accuracy: a − b", effect=0.45,
        ci_low=0.44, ci_high=0.46, level=0.9875, seeds=8, interval_over="seeds and test examples",
    )  # fmt: skip
    assert certainty(row, metric_of) == (
        "98.75 % interval 44.0 to 46.0 percentage points, over 8 seeds and the test examples"
    )
