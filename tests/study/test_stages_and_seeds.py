"""What is wrong with stages and with numbers of seeds, said where it stands."""

import pytest

from harness.study import InputError, load_study

STUDY = """\
study: borrowed
question: q
workload:
  data: digits
  model: mlp
pretraining:
  low-digits: {data: {classes: [0, 1, 2]}, epochs: 3}
  second: {transfer: {from: low-digits}}
arms:
  tuned: {transfer: {from: low-digits}}
  twice: {transfer.from: second}
seeds: 8
claims:
  - {id: c, says: s, source: [x], metric: test.accuracy, of: {arm: tuned}, above: 0.1}
"""


@pytest.fixture
def problem(tmp_path):
    def find(*overrides, text=STUDY):
        file = tmp_path / "borrowed.yaml"
        file.write_text(text)
        with pytest.raises(InputError) as caught:
            load_study(file, None, overrides)
        return str(caught.value)

    return find


def test_an_unknown_stage_is_answered_with_its_place_and_the_nearest(problem):
    found = problem(
        text=STUDY.replace("tuned: {transfer: {from: low", "tuned: {transfer: {from: lo")
    )
    assert "borrowed.yaml:10:28: arms.tuned.transfer.from: no pretraining stage" in found
    assert "(there are: low-digits, second); did you mean 'low-digits'?" in found
    found = problem(
        text=STUDY.replace("second: {transfer: {from: low", "second: {transfer: {from: lo")
    )
    assert "pretraining.second.transfer.from: no pretraining stage is called 'lo-digits'" in found
    found = problem("workload.transfer={from: other}")
    assert "no pretraining stage is called 'other'" in found


def test_a_stage_among_the_choices_of_a_search_must_exist(problem):
    found = problem("search={space: {transfer.from: {choice: [low-digits, high]}}, candidates: 2}")
    assert "no pretraining stage is called 'high'" in found


def test_settings_of_a_stage_are_checked_like_those_of_an_arm(problem):
    found = problem(text=STUDY.replace("epochs: 3}", "epochs: 0}"))
    assert "borrowed.yaml:7:52: pretraining.low-digits.epochs: epochs:" in found
    assert "did you mean 'epochs'" in problem(text=STUDY.replace("epochs: 3}", "epoch: 3}"))


def test_stages_do_not_go_round_in_a_circle(problem):
    found = problem("pretraining.low-digits.transfer={from: second}")
    assert "the stage 'low-digits' starts from itself" in found


def test_a_stage_has_a_name_of_its_own_and_a_network(problem):
    renamed = STUDY.replace("twice:", "second:")
    assert "an arm is called 'second' as well" in problem(text=renamed)
    found = problem("pretraining.low-digits.model={name: logistic_regression}")
    assert "no weights that a network could start from" in found


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ("4", "seeds: 4 seeds can support no claim; these claims need at least 5"),
        ("1", "seeds: input should be greater than or equal to 2"),
        ("many", 'seeds: expected a whole number, found "many"'),
        ("{start: 4, step: 4, max: 12}", "seeds.start: 4 seeds can support no claim"),
        ("{start: 8, step: 4}", "seeds.max: is missing"),
        ("{start: 8, max: 12}", "seeds.step: is missing"),
        ("{start: 8, step: 4, most: 12}", "unknown key 'most'"),
        ("{start: 8, step: 4, max: 8}", "`max` (8) has to be above `start` (8)"),
        ("{start: 8, step: 0, max: 12}", "seeds.step: input should be greater"),
    ],
)
def test_numbers_of_seeds_that_make_no_sense(problem, seeds, message):
    assert message in problem(text=STUDY.replace("seeds: 8", f"seeds: {seeds}"))


def test_too_few_seeds_hide_no_other_mistake(problem):
    text = STUDY.replace("seeds: 8", "seeds: 4").replace("above: 0.1", "above: 2")
    found = problem(text=text)
    assert "4 seeds can support no claim" in found
    assert "never holds" in found


def test_looks_end_with_the_last_seed(tmp_path):
    file = tmp_path / "borrowed.yaml"
    file.write_text(STUDY.replace("seeds: 8", "seeds: {start: 8, step: 5, max: 20}"))
    study = load_study(file).study
    assert study.looks == (8, 13, 18, 20)
    assert (study.first_seeds, study.most_seeds) == (8, 20)
    file.write_text(STUDY)
    assert load_study(file).study.looks == (8,)


@pytest.mark.parametrize("own", ["[6, 5]", "[0, 1]", "null"])
def test_a_teacher_of_other_classes_is_refused(problem, own):
    taught = "tuned: {task: {name: distillation}, uses: {teacher: low-digits}, data.classes: %s}"
    text = STUDY.replace("tuned: {transfer: {from: low-digits}}", taught % own)
    found = problem(text=text.replace("classes: [0, 1, 2]", "classes: [5, 6]"))
    assert "arms.tuned.uses.teacher: the stage 'low-digits' tells the classes [5, 6] apart" in found
    assert "give both the same `data.classes`" in found
