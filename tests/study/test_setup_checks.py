"""Claims that the setup of a study decides are refused, and their sound neighbours are not."""

import pytest
import yaml

from harness.data import data_of
from harness.data_spec import NEXT_TOKEN
from harness.study import InputError, load_study
from harness.study.doubts import doubts

TEXT = "{name: characters, source: python, length: 64, limit: 1000, spread: true}"
MLP = "{data: digits, model: {name: mlp, depth: 2, width: 32}, epochs: 30}"


def study(workload, more, claim, seeds=8):
    """A study of one claim."""
    text = f"study: s\nquestion: q?\nworkload: {workload}\nseeds: {seeds}\n{more}\nclaims:\n"
    return yaml.safe_load(f"{text}  - {{id: c, says: it is so, {claim}}}\n")


def refusal(*parts):
    """Return why a study is refused; empty where it is not."""
    try:
        load_study(study(*parts))
    except InputError as error:
        return str(error)
    return ""


# --- networks that read what they are to predict -------------------------------------------------
BOTH = "factors: {both: {path: model.bidirectional, levels: [false, true]}}"
LSTM = f"{{data: {TEXT}, model: {{name: recurrent, cell: lstm, width: 32}}, epochs: 1}}"
READS = "reads the tokens that it is to predict"


@pytest.mark.parametrize("metric", ["test.loss", "test.bits", "validation.accuracy"])
def test_an_lstm_in_both_directions_is_no_language_model(metric):
    assert READS in refusal(
        LSTM, BOTH, f"metric: {metric}, contrast: {{both: [true, false]}}, below: 0"
    )
    cost = "metric: cost.parameters, contrast: {both: [true, false]}, above: 0"
    assert refusal(LSTM, BOTH, cost) == ""


def test_of_one_arm_alone_it_is_none_either():
    assert READS in refusal(LSTM, BOTH, "metric: test.bits, of: {both: true}, below: 3")
    assert refusal(LSTM, BOTH, "metric: test.bits, of: {both: false}, below: 3") == ""


def test_tags_may_be_told_from_both_sides():
    tags = LSTM.replace(TEXT, "{name: tagging, offset: 2}")
    assert refusal(tags, BOTH, "metric: test.loss, contrast: {both: [true, false]}, below: 0") == ""


def test_without_a_mask_it_is_asked_beside_what_it_can_do_without_looking_ahead():
    transformer = f"{{data: {TEXT}, model: {{name: transformer, layers: 1, width: 32}}, epochs: 1}}"
    arms = "arms: {masked: {}, unmasked: {model.causal: false}}\nprobes: [cut_prefixes]"
    bits = "{metric: test.bits, contrast: [{arm: unmasked}, {arm: masked}], below: 0}"
    cut = "{metric: probe.prefix_bits, contrast: [{arm: unmasked}, {arm: masked}], above: 0}"
    assert READS in refusal(transformer, arms, f"all_of: [{bits}]")
    assert refusal(transformer, arms, f"all_of: [{bits}, {cut}]") == ""


def test_features_of_a_network_that_reads_both_ways_tell_the_answer():
    arms = """stages: {reader: {model: {name: recurrent, cell: lstm, bidirectional: true}}}
arms: {alone: {}, fed: {uses: {features: reader}}}"""
    claim = "metric: test.bits, contrast: [{arm: fed}, {arm: alone}], below: 0"
    assert READS in refusal(LSTM, arms, claim)
    assert refusal(LSTM, arms.replace("true", "false"), claim) == ""


def test_no_search_chooses_one():
    search = "search: {space: {model.bidirectional: {choice: [true, false]}}, candidates: 2}"
    assert "read the tokens that they are to predict" in refusal(
        LSTM, search, "metric: test.bits, of: {arm: baseline}, below: 3"
    )


@pytest.mark.parametrize("name", NEXT_TOKEN)
def test_data_of_next_tokens_say_so(name):
    assert data_of({"name": name}).predicts_next
    assert not data_of({"name": "tagging"}).predicts_next


# --- levels beyond what there is -----------------------------------------------------------------
@pytest.mark.parametrize(
    ("workload", "levels", "claim", "two"),
    [
        (MLP, "data.limit, levels: [500, 1000, 2000, 4000]",
         "metric: test.accuracy, contrast: {x: [4000, 2000]}, within: 0.01", "4000 with 2000"),
        (MLP, "data.limit, levels: [500, 1000, 2000, 4000]",
         "metric: test.loss, trend: {over: x, scale: power}, less_by: 0.3", "2000 with 4000"),
        (MLP, "batch_size, levels: [256, 1024, 4096, 16384]",
         "metric: test.accuracy, trend: {over: x, scale: doubling}, below: 0", "4096 with 16384"),
        (LSTM, "data.limit, levels: [1000, 2000, 4000, 8000, 16000]",
         "metric: test.loss, trend: {over: x, scale: power}, below: 0", "8000 with 16000"),
    ],
)  # fmt: skip
def test_more_examples_than_there_are_make_no_other_arm(workload, levels, claim, two):
    said = refusal(workload, f"factors: {{x: {{path: {levels}}}}}", claim)
    assert f"compares {two}, which are one training" in said
    few = levels.replace(", 16384", "").replace(", 16000", "").replace(", 2000, 4000]", ", 1347]")
    claim = claim.replace("[4000, 2000]", "[1347, 500]")
    assert refusal(workload, f"factors: {{x: {{path: {few}}}}}", claim) == ""


# --- targets, and trainings that miss them -------------------------------------------------------
SIGMOID = "factors: {a: {path: model.activation, levels: [relu, sigmoid]}}\nprobes: "
SOONER = "metric: probe.epochs_to_target, contrast: {a: [sigmoid, relu]}, below: 0"


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ("target: 0.95, unreached: 31", ""),
        ("target: 0.95", ""),
        ("target: 0.95, unreached: 0", "counts as epoch 0 in the arm"),
        ("target: 0.95, unreached: 30", "write 31 or more"),
        ("target: 95, unreached: 31", "lies between 0 and 1, never at 95"),
    ],
)
def test_who_misses_a_target_is_not_among_those_that_reach_it(settings, wrong):
    probe = f"[{{name: epochs_to_target, metric: validation.accuracy, {settings}}}]"
    said = refusal(MLP, SIGMOID + probe, SOONER)
    assert (wrong in said) if wrong else said == ""


def test_a_longer_profile_needs_a_later_one():
    probe = "[{name: epochs_to_target, metric: validation.accuracy, target: 0.9, unreached: 31}]"
    longer = "\nprofiles: {long: {workload.epochs: 100}}"
    assert "write 101 or more" in refusal(MLP, SIGMOID + probe + longer, SOONER)


STEPS = """arms: {short: {epochs: 5}, long: {}}
probes: [{name: steps_to_target, metric: validation.accuracy, target: 0.95}]"""


def test_trainings_of_unequal_length_miss_a_target_at_unequal_costs():
    fewer = "{metric: probe.steps_to_target, contrast: [{arm: short}, {arm: long}], below: 0}"
    reached = "{metric: probe.reached_target, of: {arm: short}, above: 0.5}"
    assert "85 steps in the arm 'short' and 510 in 'long'" in refusal(
        MLP, STEPS, f"all_of: [{fewer}]"
    )
    assert refusal(MLP, STEPS, f"all_of: [{fewer}, {reached}]") == ""
    alike = STEPS.replace("epochs: 5", "model.depth: 3")
    assert refusal(MLP, alike, f"all_of: [{fewer}]") == ""


def test_a_training_loss_is_not_followed_where_dropout_is_at_work():
    probe = "probes: [{name: epochs_to_target, metric: train.loss, target: 0.2, unreached: 31}]"
    factor = "factors: {x: {path: model.PATH, levels: LEVELS}}\n" + probe
    claim = "metric: probe.epochs_to_target, contrast: {x: LEVELS}, above: 1"

    def said(path, levels, metric="train.loss"):
        more = factor.replace("PATH", path).replace("LEVELS", levels)
        return refusal(MLP, more.replace("train.loss", metric), claim.replace("LEVELS", levels))

    assert "with `model.dropout` at work" in said("dropout", "[0.0, 0.5]")
    assert said("dropout", "[0.0, 0.5]", "validation.loss") == ""
    assert said("width", "[16, 32]") == ""


# --- what a diverged trial counts as -------------------------------------------------------------
@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        ("metric: test.accuracy, above: 0, diverged: 1", "the best of test.accuracy"),
        ("metric: test.loss, below: 0, diverged: 0", "the best of test.loss"),
        ("metric: test.accuracy, above: 0, diverged: 0.5", "better than guessing (0.1)"),
        ("metric: test.accuracy, above: 0, diverged: 0.1", ""),
        ("metric: test.accuracy, above: 0, diverged: 0", ""),
        ("metric: test.loss, below: 0, diverged: 2.3", ""),
    ],
)
def test_who_diverges_does_not_win(claim, wrong):
    rates = "factors: {rate: {path: optimizer.lr, levels: [0.1, 1000.0]}}"
    said = refusal(MLP, rates, f"{claim}, contrast: {{rate: [1000.0, 0.1]}}")
    assert (wrong in said) if wrong else said == ""


# --- the best of many, and what was removed ------------------------------------------------------
@pytest.mark.parametrize(
    ("across", "first", "second", "effect", "refused"),
    [
        ("highest", "[adam, rmsprop]", "sgd", "greater_by: 0.01", True),
        ("highest", "sgd", "[adam, rmsprop]", "greater_by: 0.01", False),  # to the claim's cost
        ("highest", "sgd", "[adam, rmsprop]", "less_by: 0.01", True),
        ("highest", "sgd", "[adam, rmsprop]", "within: 0.01", True),
        ("lowest", "[adam, rmsprop]", "sgd", "less_by: 0.01", True),
        ("lowest", "sgd", "[adam, rmsprop]", "less_by: 0.01", False),
        ("highest", "[adam, sgd]", "[rmsprop, nadam]", "greater_by: 0.01", False),
        ("mean", "[adam, rmsprop]", "sgd", "greater_by: 0.01", False),
    ],
)  # fmt: skip
def test_the_best_of_many_is_not_set_against_one(across, first, second, effect, refused):
    arms = "factors: {o: {path: optimizer.name, levels: [sgd, adam, rmsprop, nadam]}}"
    contrast = f"contrast: [{{o: {first}}}, {{o: {second}}}], across: {across}"
    said = refusal(MLP, arms, f"metric: test.accuracy, {contrast}, {effect}")
    assert ("the better the best of them, by luck alone" in said) is refused


def test_parameters_that_a_task_removes_are_not_counted_as_gone():
    arms = """stages: {large: {epochs: 2}}
arms: {dense: {}, cut: {task: {name: TASK}, uses: {dense: large}}}
probes: [near_zero_weights]"""
    ratio = "ratio: [{arm: cut}, {arm: dense}], less_by: 0.5"
    for task in ("pruned_classification", "structured_pruned_classification"):
        said = refusal(MLP, arms.replace("TASK", task), f"metric: cost.parameters, {ratio}")
        assert "counts what the network of the arm 'cut' was built with" in said
    zeros = "metric: probe.zero_weights, contrast: [{arm: cut}, {arm: dense}], greater_by: 0.5"
    assert refusal(MLP, arms.replace("TASK", "pruned_classification"), zeros) == ""


# --- one side tuned ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("levels", "told"),
    [
        ("{adam: {optimizer.name: adam}, sgd: {optimizer: {name: sgd, lr: 0.01}}}", True),
        ("{adam: {optimizer.name: adam}, sgd: {optimizer.name: sgd}}", False),
        ("{adam: {}, sgd: {optimizer.lr: 0.01}}", False),  # tuning itself is the question
    ],
)
def test_a_plan_tells_that_one_side_alone_is_tuned(levels, told):
    more = f"""factors: {{o: {{levels: {levels}}}}}
search: {{space: {{optimizer.lr: {{log: [1.0e-4, 1.0e-1]}}}}, candidates: 4}}"""
    loaded = load_study(
        study(MLP, more, "metric: test.accuracy, contrast: {o: [adam, sgd]}, above: 0")
    )
    lines = doubts(loaded.study, loaded.arms)
    assert len(lines) == told
    if told:
        assert "'c' compares adam, which is tuned, with sgd, which is not" in lines[0]


def test_a_simple_baseline_is_compared_on_its_own_data():
    few = MLP.replace("data: digits", "data: {name: digits, labels: 60}")
    labels = "factors: {labels: {path: data.labels, levels: [60, 300]}}"
    claim = "metric: test.accuracy, contrast: [{labels: N}, {arm: simple-baseline}], greater_by: 0"
    said = refusal(MLP, labels, claim.replace("N", "60"))
    assert "`data.labels` is 60 in the one and None in the other" in said.replace("null", "None")
    assert refusal(few, labels, claim.replace("N", "60")) == ""
    assert "set `workload.data.labels`" in refusal(few, labels, claim.replace("N", "300"))


# --- the unit of an error ------------------------------------------------------------------------
NUMBERS = "{data: {name: table, source: diabetes}, model: {name: mlp, depth: 1}, epochs: 3}"


@pytest.mark.parametrize(
    ("metric", "asked", "refused"),
    [
        ("mean_absolute_error", "of: {width: 8}, below: 50", True),
        ("mean_absolute_error", "contrast: {width: [64, 8]}, less_by: 12", True),
        ("mean_absolute_error", "of: {width: 8}, below: 0.9", False),
        ("mean_absolute_error", "ratio: {width: [64, 8]}, below: 20", False),
        ("loss", "of: {width: 8}, below: 3000", True),
        ("loss", "of: {width: 8}, below: 20", False),
    ],
)
def test_an_error_is_not_bounded_in_the_unit_of_the_target(metric, asked, refused):
    width = "factors: {width: {path: model.width, levels: [8, 64]}}"
    said = refusal(NUMBERS, width, f"metric: test.{metric}, {asked}")
    assert ("standard deviations of the target" in said) is refused


# --- stages ---------------------------------------------------------------------------------------
def told(stage, arm):
    """Say what a plan says of a stage that knows labels of the arm's data."""
    stages = f"stages: {{first: {{{stage}}}}}\narms: {{scratch: {{}}, tuned: {arm}}}"
    claim = "metric: test.accuracy, contrast: {arm: [tuned, scratch]}, greater_by: 0"
    loaded = load_study(study(MLP.replace("digits", "{name: digits, labels: 60}"), stages, claim))
    return doubts(loaded.study, loaded.arms)


def test_a_plan_tells_that_a_stage_knows_more_labels_than_the_arms():
    (line,) = told("data: {labels: null}", "{transfer: {from: first}}")
    assert "the stage saw 1,347 labels of these data, and the arm 60" in line
    for stage in (
        "data: {labels: 60}",
        "data: {labels: null, classes: [0, 1, 2]}",
        "data: {labels: null}, task: reconstruction",
    ):
        assert "labels of these data" not in " ".join(told(stage, "{transfer: {from: first}}"))


@pytest.mark.parametrize(
    ("data", "refused"),
    [("{test_fraction: 0.1}", True), ("{target: b}", True), ("{limit: 50}", False)],
)
def test_a_stage_does_not_learn_from_what_is_tested(tmp_path, data, refused):
    file = tmp_path / "rows.csv"
    rows = "\n".join(f"{i % 7},{i % 5},{i % 2}" for i in range(80))
    file.write_text(f"a,b,c\n{rows}\n")
    workload = f"{{data: {{name: table_file, path: {file}, target: c}}, model: mlp, epochs: 2}}"
    stages = f"stages: {{first: {{data: {data}}}}}\n"
    stages += "arms: {one: {}, two: {transfer: {from: first}}}"
    claim = "metric: test.accuracy, contrast: {arm: [two, one]}, greater_by: 0"
    assert ("learns from examples that are tested on here" in refusal(workload, stages, claim)) is (
        refused
    )


# --- classes --------------------------------------------------------------------------------------
@pytest.mark.parametrize(("other", "warned"), [("gaussian_grid", True), ("mnist", False)])
def test_a_plan_tells_that_accuracies_are_over_unequally_many_classes(other, warned):
    arms = f"arms: {{one: {{}}, two: {{data: {{name: {other}}}}}}}"
    claim = "metric: test.accuracy, contrast: {arm: [one, two]}, greater_by: 0"
    loaded = load_study(study(MLP.replace("digits", "{name: digits, limit: 500}"), arms, claim))
    said = " ".join(doubts(loaded.study, loaded.arms))
    assert ("compares accuracies on" in said) is warned


# --- margins --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("asked", "warned"),
    [
        ("metric: test.accuracy, contrast: {arm: [one, two]}, within: 0.5", "50 percentage points"),
        ("metric: test.accuracy, contrast: {arm: [one, two]}, noninferior: 0.3", "30 percentage"),
        ("metric: test.accuracy, contrast: {arm: [one, two]}, within: 0.005", ""),
        ("metric: test.loss, contrast: {arm: [one, two]}, within: 0.5", ""),
    ],
)
def test_a_plan_tells_that_a_margin_is_wide(asked, warned):
    loaded = load_study(study(MLP, "arms: {one: {}, two: {model.width: 8}}", asked))
    said = " ".join(doubts(loaded.study, loaded.arms))
    assert (warned in said) if warned else ("counts" not in said)
