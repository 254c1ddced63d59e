"""Comparisons of arms that are unlike in something else are refused, or told by a plan."""

import re

import pytest
import yaml

from harness.study import InputError, load_study
from harness.study.doubts import doubts

MLP = "{data: digits, model: {name: mlp, depth: 1, width: 16}, epochs: 6%s}"
BETTER = "metric: test.accuracy, contrast: [{arm: b}, {arm: a}], greater_by: 0.02"


def study(arms, claim=BETTER, more="", workload=MLP % ""):
    """A study of one claim over two named arms."""
    text = f"study: s\nquestion: q?\nworkload: {workload}\nsimple_baseline: none\nseeds: 8\n"
    return yaml.safe_load(f"{text}arms: {arms}\n{more}\nclaims: [{{id: c, says: so, {claim}}}]\n")


def refusal(*parts, **more):
    """Return why a study is refused; empty where it is not."""
    try:
        load_study(study(*parts, **more))
    except InputError as error:
        return str(error)
    return ""


def told(*parts, **more):
    """Return what a plan warns of, in one text."""
    loaded = load_study(study(*parts, **more))
    return " ".join(doubts(loaded.study, loaded.arms))


# --- the learning rate ----------------------------------------------------------------------------
RATE = "at one learning rate, 0.001, which means other steps"
SEARCH = "search: {space: {optimizer.lr: {log: [1.0e-4, 1.0]}}, candidates: 4}"


def two(one, other, rate="0.001", second="0.001"):
    """Two arms by their optimizers."""
    a = f"{{optimizer: {{name: {one}, lr: {rate}}}}}"
    return f"{{a: {a}, b: {{optimizer: {{name: {other}, lr: {second}}}}}}}"


@pytest.mark.parametrize(
    ("arms", "more", "refused"),
    [
        (two("adam", "sgd"), "", True),
        (two("adam", "adagrad"), "", True),
        (two("rmsprop", "sgd"), "", True),
        (two("torch.optim.SGD", "torch.optim.Adadelta"), "", True),
        (two("adam", "torch.optim.SGD"), "", True),
        (two("adam", "adamw"), "", False),
        (two("adam", "sgd", second="0.1"), "", False),
        ("{a: {optimizer.name: adam}, b: {optimizer.name: sgd}}", SEARCH, False),
        ("{a: {optimizer.name: adam}, b: {optimizer.name: sgd}}", SEARCH.replace("4}", "1}"), True),
        (two("adam", "sgd"), "search: {space: {model.dropout: {uniform: [0, 0.5]}}, candidates: 2}",
         True),
    ],
)  # fmt: skip
def test_unlike_optimizers_do_not_share_a_rate(arms, more, refused):
    workload = MLP % ", optimizer: {name: sgd, lr: 0.001}"
    assert (RATE in refusal(arms, more=more, workload=workload)) is refused
    for metric in ("cost.parameters", "outcome.diverged"):
        claim = f"metric: {metric}, contrast: [{{arm: b}}, {{arm: a}}], greater_by: 0.1"
        assert RATE not in refusal(arms, claim, more, workload)
    alone = "metric: test.accuracy, of: {arm: [a, b]}, above: 0.5"
    assert RATE not in refusal(arms, alone, more, workload)


def test_levels_share_one_as_well_and_a_grid_of_rates_is_another_question():
    text = """\
study: s
question: q?
workload: {data: digits, model: mlp, epochs: 5}
factors:
  o: {levels: {adam: {optimizer: {name: adam, lr: 0.01}}, sgd: {optimizer: {name: sgd, lr: 0.01}}}}
seeds: 8
claims:
  - {id: c, says: so, metric: test.accuracy, contrast: {o: [adam, sgd]}, greater_by: 0}
"""
    with pytest.raises(InputError, match="at one learning rate"):
        load_study(yaml.safe_load(text))
    grid = "  lr: {path: optimizer.lr, levels: [0.001, 0.01]}\ndesign: factorial\nseeds"
    text = re.sub(r"\{levels: .*\}\}", "{path: optimizer.name, levels: [adam, sgd]}", text)
    text = text.replace("seeds", grid, 1).replace("contrast", "across: highest, contrast")
    load_study(yaml.safe_load(text))


def test_a_benchmark_of_optimizers_does_not_share_one():
    text = """\
study: s
question: q?
workload: {data: {name: table}, model: mlp, epochs: 5, optimizer: {name: adam, lr: 0.01}}
factors:
  o: {path: optimizer.name, levels: [adam, sgd]}
  table: {path: data.source, levels: [wine, iris, breast_cancer]}
design: {name: benchmark, methods: o, datasets: table}
seeds: 5
"""
    with pytest.raises(InputError, match="at one learning rate"):
        load_study(yaml.safe_load(text))


def test_a_plan_tells_of_rates_that_nobody_searched():
    assert "at the rates 0.1 and 0.001, and no search" in told(two("adam", "sgd", second="0.1"))
    momentum = "{a: {optimizer.momentum: 0.0}, b: {optimizer.momentum: 0.9}}"
    workload = MLP % ", optimizer: {name: sgd, lr: 0.01}"
    assert "makes steps 10 times as long" in told(momentum, workload=workload)
    assert "10 times" not in told(momentum, more=SEARCH, workload=workload)


# --- what measures --------------------------------------------------------------------------------
VAE = "task: {name: reconstruction, code: 8, beta: 1.0}, keep: last"
STAGES = """stages: {reader: {epochs: 2}, weak: {epochs: 1, model.width: 8}}
probes: [{name: sample_quality, samples: 100}]"""
CLOSER = "metric: probe.frechet_distance, contrast: [{arm: b}, {arm: a}], less_by: 5"


@pytest.mark.parametrize(("judge", "refused"), [("weak", True), ("reader", False)])
def test_one_classifier_judges_both(judge, refused):
    other = f"{{uses: {{classifier: {judge}}}, model.width: 32}}"
    arms = f"{{a: {{uses: {{classifier: reader}}}}, b: {other}}}"
    more = STAGES.replace("epochs: 2", "epochs: 2, task: classification").replace(
        "epochs: 1", "epochs: 1, task: classification"
    )
    workload = MLP % f", {VAE}, uses: {{classifier: reader}}"
    said = refusal(arms, CLOSER, more, workload)
    assert ("is measured with the classifier 'weak' in the arm 'b'" in said) is refused, said


# --- what is asked --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arms", "refused"),
    [
        ("{a: {}, b: {data: {limit: 300}, model.width: 32}}", False),
        ("{a: {}, b: {data.classes: [0, 1]}}", False),  # the data alone
        ("{a: {}, b: {data.classes: [0, 1], model.width: 32}}", True),
        ("{a: {}, b: {data: {name: mnist, test_limit: 500}, model: lenet}}", True),
    ],
)
def test_other_data_and_another_network_are_two_questions(arms, refused):
    said = refusal(arms)
    assert ("is of other data in the arms" in said) is refused, said


def test_the_same_data_on_both_sides_are_one_question():
    text = """\
study: s
question: q?
workload: {data: {name: generated_table, source: moons}, model: mlp, epochs: 5}
factors:
  a: {path: model.activation, levels: [relu, tanh]}
  table: {path: data.source, levels: [moons, checkerboard]}
design: factorial
seeds: 8
claims: [{id: c, says: so, metric: test.accuracy, contrast: {a: [relu, tanh]}, greater_by: 0}]
"""
    load_study(yaml.safe_load(text))


# --- what a plan tells ----------------------------------------------------------------------------
def test_a_plan_tells_of_other_searches():
    arms = "{a: {model.activation: relu}, b: {model.activation: tanh}}"
    more = """search:
  space:
    optimizer.lr: {log: [1.0e-3, 1.0e-1], "on": {arm: a}}
    model.dropout: {uniform: [0.6, 0.9], "on": {arm: b}}
  candidates: 4"""
    said = told(arms, more=more)
    assert "compares b, which is searched over `model.dropout`, with a, where it is 0.0" in said


def test_a_plan_tells_of_unequal_updates():
    said = told("{a: {batch_size: 16}, b: {batch_size: 512}}")
    assert "compares b, of 18 updates, with a, of 408" in said
    assert told("{a: {epochs: 5}, b: {epochs: 50}}") == ""  # what is compared


@pytest.mark.parametrize(("path", "warned"), [("batch_size", True), ("epochs", False)])
def test_a_plan_tells_of_unequal_updates_along_a_trend(path, warned):
    loaded = load_study(
        {
            "study": "s",
            "question": "q?",
            "workload": {"data": "digits", "model": "mlp", "epochs": 2},
            "factors": {"f": {"path": path, "levels": [16, 64, 256]}},
            "seeds": 8,
            "claims": [
                {"id": "c", "says": "so", "metric": "test.accuracy", "trend": {"over": "f"},
                 "less_by": 0}
            ],
        }
    )  # fmt: skip
    said = " ".join(doubts(loaded.study, loaded.arms))
    assert ("compares 16, of 136 updates, with 64, of 34" in said) is warned


def test_a_plan_tells_what_accumulate_does():
    said = told("{a: {batch_size: 128}, b: {batch_size: 32, accumulate: 4}}")
    assert "whose batches of 32 are computed in 4 parts" in said
    assert "of 128 it would be `batch_size: 128, accumulate: 4`" in said


def test_a_plan_tells_that_a_start_is_more_training():
    said = told("{a: {}, b: {transfer: {from: before}}}", more="stages: {before: {epochs: 60}}")
    assert "so that it is 1,020 updates of training more" in said
    other = "stages: {before: {epochs: 60, data: {classes: [0, 1, 2]}}}"
    arms = "{a: {}, b: {transfer: {from: before}}}"
    assert "training more" not in told(arms, more=other)


# --- what counts as a failure ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        ("metric: gap.loss, contrast: [{arm: b}, {arm: a}], diverged: -5, less_by: 0",
         "says nothing: both of its parts are as bad"),
        ("metric: probe.epochs_to_target, contrast: [{arm: b}, {arm: a}], diverged: 0, less_by: 0",
         "sooner than one that misses the target (13)"),
        ("metric: probe.epochs_to_target, contrast: [{arm: b}, {arm: a}], diverged: 13, less_by: 0",
         ""),
    ],
)  # fmt: skip
def test_who_diverges_is_not_ahead(claim, wrong):
    arms = "{a: {optimizer: {name: sgd, lr: 0.3}}, b: {optimizer: {name: sgd, lr: 1.0e+9}}}"
    probes = "probes: [{name: epochs_to_target, target: 0.9, unreached: 13}]"
    said = refusal(arms, claim, probes)
    assert wrong in said if wrong else said == ""


def test_ranges_of_unequally_many_arms_are_no_match():
    arms = "{a: {model.width: 8}, b: {model.width: 16}, c: {model.width: 32}}"
    claim = "metric: test.accuracy, across: range, contrast: [{arm: [a, b]}, {arm: [a, b, c]}]"
    assert "the more there are, the larger the range" in refusal(arms, f"{claim}, less_by: 0")
    assert refusal(arms, f"{claim}, greater_by: 0") == ""  # against the odds


@pytest.mark.parametrize(("keep", "refused"), [("best", True), ("last", False)])
def test_the_best_of_many_epochs_is_no_match_for_the_best_of_few(keep, refused):
    claim = "metric: validation.accuracy, contrast: [{arm: b}, {arm: a}], greater_by: 0"
    said = refusal("{a: {epochs: 5}, b: {epochs: 50}}", claim, workload=MLP % f", keep: {keep}")
    assert ("is the best of 50 in the arm 'b' and of 5 in 'a'" in said) is refused, said


def test_validation_is_not_compared_where_one_arm_leaks():
    arms = "{a: {}, b: {data.leak: {duplicates: 0.5}}}"
    claim = "metric: %s.accuracy, contrast: [{arm: b}, {arm: a}], greater_by: 0"
    assert "is flattered by `data.leak`" in refusal(arms, claim % "validation")
    assert refusal(arms, claim % "optimism") == ""


@pytest.mark.parametrize(
    ("late", "in_time", "part"),
    [
        ("early_stopping: {patience: 5}", "early_stopping: {patience: 4}", "early_stopping"),
        ("schedule: {name: step, every: 6}", "schedule: {name: step, every: 3}", "schedule"),
    ],
)
def test_what_would_come_after_the_last_epoch_makes_no_other_arm(late, in_time, part):
    equal = "metric: test.accuracy, contrast: [{arm: b}, {arm: a}], within: 0.02"
    said = refusal(f"{{a: {{}}, b: {{{late}}}}}", equal)
    assert f"what `{part}` changes would come after the last of 6 epochs" in said
    assert refusal(f"{{a: {{}}, b: {{{in_time}}}}}", equal) == ""


def test_so_does_unfreezing_that_comes_too_late():
    stages = "stages: {first: {epochs: 2, data: {classes: [0, 1, 2]}}}"
    start = "transfer: {from: first, freeze: features"
    arms = f"{{a: {{{start}}}}}, b: {{{start}, unfreeze_every: 6}}}}}}"
    assert "what `transfer` changes would come after" in refusal(arms, more=stages)
    assert refusal(arms.replace("every: 6", "every: 2"), more=stages) == ""
