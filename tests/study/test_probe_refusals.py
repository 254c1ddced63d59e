"""Probes are refused where a workload cannot give what they show."""

import pytest

from harness.study import InputError, load_study

HEAD = "study: u\nquestion: q\nsimple_baseline: none\nseeds: 5\n"
TEXT = "{name: characters, length: 16}"
CNN = "{name: cnn, channels: [4], dense: 0}"

REFUSED = [
    ("digits", "mlp", "grad_cam", "needs convolutions; mlp has none"),
    ("{name: table}", "mlp", "first_layer_filters", "needs images; table has none"),
    (TEXT, "recurrent", "confusion_matrix", "a class for each input; the targets of characters"),
    (TEXT, "recurrent", "embedding", "a class for each input; the targets of characters"),
    ("digits", "{name: mlp, depth: 0}", "embedding", "this mlp has none"),
    ("digits", "recurrent", "first_layer_filters", "reads an image at once; recurrent has none"),
    (TEXT, "recurrent", "attention_maps", "the built-in transformer; this is recurrent"),
    ("digits", "mlp", "generated_text", "needs a text, character by character"),
    (TEXT, "{name: recurrent, bidirectional: true}", "generated_text", "sees no later characters"),
    (TEXT, "{name: transformer, causal: false}", "generated_text", "sees no later characters"),
    ("digits", "mlp", "training_mode", "this mlp has neither dropout nor batch normalization"),
    ("digits", "{name: mlp, dropout: [0, 0]}", "training_mode", "no mode acts"),
    ("digits", "{name: resnet, norm: group}", "training_mode", "this resnet has neither dropout"),
    ("digits", "recurrent", "training_mode", "this recurrent has neither dropout"),
]  # fmt: skip

FITTING = [
    ("digits", CNN, "[confusion_matrix, embedding, grad_cam, first_layer_filters]"),
    ("digits", "mlp", "[confusion_matrix, embedding, first_layer_filters]"),
    ("digits", "transformer", "[confusion_matrix, embedding, attention_maps]"),
    ("docstrings", "transformer", "[confusion_matrix, embedding, attention_maps]"),
    (TEXT, "transformer", "[attention_maps, generated_text]"),
    (TEXT, "recurrent", "[generated_text]"),
    ("digits", "'own.networks:build'", "[grad_cam, embedding]"),
    ("digits", "{name: mlp, dropout: [0, 0.1]}", "[training_mode]"),
    ("digits", "{name: mlp, norm: batch}", "[training_mode]"),
    ("digits", "resnet", "[training_mode]"),
    ("digits", "'own.networks:build'", "[training_mode]"),
    ("digits", "logistic_regression", "[grad_cam]"),  # simple models are passed over
]


def read(tmp_path, data, model, probes, rest=""):
    file = tmp_path / "u.yaml"
    file.write_text(f"{HEAD}workload: {{data: {data}, model: {model}}}\nprobes: {probes}\n{rest}")
    return load_study(file)


@pytest.mark.parametrize(("data", "model", "probe", "message"), REFUSED)
def test_what_a_workload_cannot_give_is_refused(tmp_path, data, model, probe, message):
    with pytest.raises(InputError) as error:
        read(tmp_path, data, model, f"[{probe}]")
    (problem,) = error.value.problems
    assert message in str(problem)
    assert problem.line == 6


@pytest.mark.parametrize(("data", "model", "probes"), FITTING)
def test_what_it_can_give_is_accepted(tmp_path, data, model, probes):
    read(tmp_path, data, model, probes)


def test_arms_that_can_are_named(tmp_path):
    levels = f"{{m: {{model: mlp}}, c: {{model: {CNN}}}}}"
    factors = f"factors: {{net: {{levels: {levels}}}}}\n"
    with pytest.raises(InputError, match=r"arm m needs convolutions.*name the arms .* with `on`"):
        read(tmp_path, "digits", "mlp", "[grad_cam]", factors)
    read(tmp_path, "digits", "mlp", "[{name: grad_cam, on: {net: c}}]", factors)
