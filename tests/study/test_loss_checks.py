"""Claims that compare arms by losses which are not the same number are refused."""

import pytest

from harness.study import InputError, load_study

SMOOTH = {"name": "cross_entropy", "label_smoothing": 0.1}


MODEL = {"name": "mlp", "depth": 1, "width": 4}


def problems(
    metric: str,
    changed: dict,
    data: str | dict = "digits",
    more: dict | None = None,
    workload: dict | None = None,
    third: dict | None = None,
    **claim,
) -> list[str]:
    study = {
        **(more or {}),
        "study": "losses",
        "question": "Which?",
        "workload": {"data": data, "model": MODEL, "epochs": 2, **(workload or {})},
        "arms": {"one": {}, "other": changed} | ({"third": third} if third else {}),
        "seeds": 8,
        "claims": [
            {
                "id": "c",
                "says": "s",
                "metric": metric,
                "contrast": [{"arm": "one"}, {"arm": "other"}],
                **(claim or {"less_by": 0}),
            }
        ],
    }
    try:
        load_study(study)
    except InputError as error:
        return [str(problem) for problem in error.problems]
    return []


NUMBERS = {"name": "table", "source": "diabetes"}


@pytest.mark.parametrize(
    ("metric", "changed", "data"),
    [
        ("test.loss", {"loss": "one_hot_squared_error"}, "digits"),
        ("validation.loss", {"loss": "one_hot_squared_error"}, "digits"),
        ("test.loss", {"loss": "mean_absolute_error"}, NUMBERS),
        ("train.loss", {"loss": SMOOTH}, "digits"),
        ("gap.loss", {"loss": SMOOTH}, "digits"),
        ("gap.loss", {"augmentation": {"mixup": 0.2}}, "digits"),
        ("train.loss", {"loss": {"name": "cross_entropy", "class_weights": "balanced"}}, "digits"),
    ],
)
def test_losses_that_are_other_numbers_are_not_compared(metric, changed, data):
    (said,) = problems(metric, changed, data)
    assert f"{metric} is not the same number in the arms 'one' and 'other'" in said


@pytest.mark.parametrize(
    ("metric", "changed", "data"),
    [
        ("test.loss", {"loss": SMOOTH}, "digits"),
        ("validation.loss", {"augmentation": {"mixup": 0.2}}, "digits"),
        ("train.loss", {"augmentation": {"shift": 1}}, "digits"),
        ("gap.loss", {"model.dropout": 0.5}, "digits"),
        ("test.root_mean_squared_error", {"loss": "mean_absolute_error"}, NUMBERS),
    ],
)
def test_the_same_number_of_other_trainings_is_compared(metric, changed, data):
    assert problems(metric, changed, data) == []


def test_scores_of_other_losses_are_compared():
    changed = {"loss": "one_hot_squared_error"}
    assert problems("test.accuracy", changed, greater_by=0) == []


def test_the_usual_loss_by_name_is_the_usual_loss():
    changed = {"loss": "cross_entropy", "model.width": 8}
    assert problems("test.loss", changed) == []


@pytest.mark.parametrize(
    ("metric", "more"),
    [
        (
            "probe.epochs_to_target",
            {"probes": [{"name": "epochs_to_target", "metric": "validation.loss", "target": 0.3}]},
        ),
        (
            "search.best",
            {
                "search": {
                    "space": {"optimizer.lr": {"log": [1e-4, 1e-1]}},
                    "candidates": 4,
                    "repeats": 5,
                    "metric": "validation.loss",
                }
            },
        ),
    ],
)
def test_what_is_made_of_losses_that_differ_is_not_compared(metric, more):
    (said,) = problems(metric, {"loss": "one_hot_squared_error"}, more=more)
    assert f"{metric} is made of validation.loss, and validation.loss is not the same" in said
    assert problems(metric, {"model.dropout": 0.5}, more=more) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"task": {"name": "distillation"}, "uses": {"teacher": "large"}},
        {"task": {"name": "distillation", "temperature": 1.0}, "uses": {"teacher": "large"}},
    ],
)
def test_a_training_loss_that_a_teacher_is_part_of_is_not_compared(changed):
    more = {"stages": {"large": {"model.width": 16, "task": "classification"}}}
    for metric in ("train.loss", "gap.loss"):
        (said,) = problems(metric, changed, more=more)
        assert f"{metric} is not the same number in the arms 'one' and 'other'" in said
    assert problems("test.loss", changed, more=more) == []


TARGET = {"name": "epochs_to_target", "target": 0.5}
NOISE = {"name": "corruption", "kinds": ["noise"], "severities": [1]}


@pytest.mark.parametrize(
    ("metric", "one", "changes", "said"),
    [
        ("epochs_to_target", TARGET, {"target": 0.9}, "(`target`: 0.5 and 0.9)"),
        ("epochs_to_target", TARGET, {"unreached": 9}, "(`unreached`: null and 9.0)"),
        (
            "epochs_to_target",
            TARGET,
            {"metric": "train.loss"},
            "(`metric`: validation.accuracy and train.loss)",
        ),
        ("corruption_accuracy", NOISE, {"severities": [5]}, "(`severities`: [1] and [5])"),
    ],
)
def test_what_a_probe_measures_otherwise_is_not_compared(metric, one, changes, said):
    probes = [{**one, "on": {"arm": "one"}}, {**one, **changes, "on": {"arm": "other"}}]
    found = problems(f"probe.{metric}", {"model.width": 8}, more={"probes": probes})
    assert len(found) == 1
    assert f"probe.{metric} is not measured alike in the arms 'one' and 'other' {said}" in found[0]
    alike = [{**one, "on": {"arm": arm}} for arm in ("one", "other")]
    assert problems(f"probe.{metric}", {"model.width": 8}, more={"probes": alike}) == []


def test_the_probe_of_the_arms_that_are_compared_says_which_loss_counts():
    probes = [
        {**TARGET, "on": {"arm": "third"}},
        {**TARGET, "metric": "validation.loss", "on": {"arm": ["one", "other"]}},
    ]
    changed, more = {"loss": "one_hot_squared_error"}, {"probes": probes}
    (said,) = problems("probe.epochs_to_target", changed, more=more, third={"model.width": 8})
    assert "is made of validation.loss" in said


def test_two_functions_of_one_name_are_not_compared():
    changed = {"metrics": {"m": "mine:two"}, "model.width": 8}
    (said,) = problems("test.m", changed, workload={"metrics": {"m": "mine:one"}})
    assert "test.m is not measured alike" in said
    assert "(`metrics.m`: mine:one and mine:two)" in said


@pytest.mark.parametrize("metric", ["validation.accuracy", "gap.accuracy", "optimism.accuracy"])
def test_validation_labels_that_differ_in_noise_are_not_compared(metric):
    (said,) = problems(metric, {"data.label_noise": 0.2})
    assert f"{metric} counts other labels as right in the arms 'one' and 'other'" in said
    assert "(`data.label_noise`: 0 and 0.2, of validation examples too)" in said
    noisy = {"name": "digits", "label_noise": 0.2}
    assert problems(metric, {"model.width": 8}, noisy) == []
    assert problems("test.accuracy", {"data.label_noise": 0.2}) == []
    assert problems("train.accuracy", {"data.label_noise": 0.2}) == []


@pytest.mark.parametrize("metric", ["validation.accuracy", "gap.accuracy", "optimism.accuracy"])
def test_the_best_epoch_is_not_compared_with_the_last_by_what_chose_it(metric):
    (said,) = problems(metric, {"keep": "last"})
    assert f"{metric} is of other epochs in the arms 'one' and 'other'" in said
    assert problems("test.accuracy", {"keep": "last"}) == []
    alike = {"model.width": 8}
    assert problems(metric, alike, workload={"keep": "last"}) == []


def test_test_splits_of_other_mixes_of_classes_are_not_compared():
    thin = {"classes": [1, 2], "keep": 0.2}
    (said,) = problems("test.accuracy", {"data.imbalance": {**thin, "test": True}})
    assert "test.accuracy is of other mixes of classes in the arms 'one' and 'other'" in said
    assert problems("test.accuracy", {"data.imbalance": thin}) == []
    thinned = {"name": "digits", "imbalance": {**thin, "test": True}}
    assert problems("test.accuracy", {"model.width": 8}, data=thinned) == []


def test_the_rarest_class_of_a_test_split_that_stays_whole_is_not_asked_for():
    rare = {"name": "digits", "imbalance": {"classes": [3], "keep": 0.2}}
    task = {"task": {"name": "classification", "also": ["minority_recall"]}, "model.width": 8}
    (said,) = problems("test.accuracy", task, rare)
    assert "`minority_recall` is of the class with the fewest examples in each split" in said
    rare["imbalance"]["test"] = True
    assert problems("test.accuracy", task, rare) == []


@pytest.mark.parametrize(
    ("probe", "metric"),
    [
        ("batch_noise", "probe.step_loss_deviation_start"),
        ("batch_noise", "probe.largest_step_gradient_end"),
        ("gradient_norms", "probe.first_gradient_start"),
    ],
)
def test_what_is_in_the_unit_of_a_loss_is_not_compared_over_losses(probe, metric):
    more = {"probes": [probe]}
    for changed in ({"loss": "one_hot_squared_error"}, {"loss": SMOOTH}):
        (said,) = problems(metric, changed, more=more)
        assert f"{metric} is made of the training loss, and the training loss is not the" in said
    for changed in ({"augmentation": {"mixup": 0.2}}, {"model.width": 8}):
        assert problems(metric, changed, more=more) == []
    if probe == "gradient_norms":  # a quotient of two gradients has no unit
        changed = {"loss": "one_hot_squared_error"}
        assert problems("probe.gradient_ratio_start", changed, more=more) == []


def test_a_cross_entropy_over_other_classes_is_not_compared():
    text = {"name": "characters", "source": "python", "length": 16, "limit": 50}
    more = {"model": "transformer"}
    for metric in ("test.loss", "test.bits", "validation.loss", "test.accuracy"):
        for changed in ({"data.vocabulary": 20}, {"data.unit": "words"}):
            (said,) = problems(metric, changed, text, workload=more)
            assert f"{metric} is of other tokens in the arms 'one' and 'other'" in said
    (said,) = problems("test.loss", {"data.classes": [0, 1]})
    assert "test.loss is of 10 classes in the arm 'one' and of 2 in 'other'" in said
    assert problems("test.loss", {"data.limit": 200}) == []


def test_a_claim_over_data_sets_compares_arms_of_one_data_set_with_each_other(tmp_path):
    """What differs between data sets alone, such as a target, makes no comparison unfair."""
    text = """\
study: over
question: q
workload: {data: digits, model: {name: mlp, depth: 1, width: 4}, epochs: 2}
factors:
  data: {levels: {all: {data.limit: 400}, wine: {data: {name: table, source: wine}},
                  iris: {data: {name: table, source: iris}},
                  vote: {data: {name: table, source: vote}},
                  cancer: {data: {name: table, source: breast_cancer}}}}
  rate: {path: optimizer.lr, levels: [0.01, 0.001]}
design: factorial
probes:
  - {name: epochs_to_target, metric: validation.accuracy, target: 0.5, unreached: 3,
     on: {data: all}}
  - {name: epochs_to_target, metric: validation.accuracy, target: 0.9, unreached: 3,
     on: {data: wine}}
  - {name: epochs_to_target, metric: validation.accuracy, target: 0.8, unreached: 3,
     on: {data: [iris, vote, cancer]}}
claims:
  - {id: c, says: s, metric: probe.epochs_to_target, contrast: {rate: [0.01, 0.001]}, below: 0%s}
"""
    file = tmp_path / "over.yaml"
    file.write_text(text % ", generalize_over: data")
    assert load_study(file).study.claims
    file.write_text(text % "")
    with pytest.raises(InputError, match="not measured alike"):
        load_study(file)
