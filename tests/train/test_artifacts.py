"""The artifacts of probes: what they keep of a network, for pictures."""

import copy
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from harness.data_spec import Form
from harness.layers import last_hidden
from harness.models import Model, build
from harness.probes.attention_maps import AttentionMaps, attention_maps
from harness.probes.base import Probe, artifact, as_details
from harness.probes.confusion_matrix import ConfusionMatrix
from harness.probes.embedding import neighbour_purity, tsne
from harness.probes.first_layer_filters import first_filters
from harness.probes.generated_text import GeneratedText, Sampling, written_on
from harness.probes.grad_cam import GradCAM, chosen, grad_cam, last_convolution, pixels
from harness.registry import PROBES, setting
from harness.trial import Phase, State
from harness.workloads import Examples, TrialData, load


def resolved(kind, config):
    return TypeAdapter(kind).validate_python(config).model_dump(mode="json", exclude={"on"})


def network_of(config, form, seed=0):
    return build(resolved(Model, config), form, seed).eval()


ANY = setting(PROBES)


class Shapes(Probe):
    name: Literal["shapes"]
    parts: ClassVar = ("map", "row", "texts")
    texts: ClassVar = ("texts",)


def test_arrays_and_texts_come_back_as_they_were():
    parts = {"map": np.arange(12).reshape(3, 4), "row": np.array([0.5, 2]), "texts": ["a", "b"]}
    details = as_details(Shapes, parts)
    found = artifact(Shapes, details)
    assert found.keys() == parts.keys()
    assert all((found[name] == parts[name]).all() for name in parts)
    for name, damaged in [("map.shape", [3, 5]), ("map", ["1"] * 12), ("texts", [1, 2])]:
        assert artifact(Shapes, details | {f"inside.shapes.{name}": damaged}) is None
    del details["inside.shapes.row"]
    assert artifact(Shapes, details) is None


IMAGES = {
    "mlp": ({"name": "mlp", "depth": 1, "width": 8}, ["embedding", "first_layer_filters"]),
    "cnn": (
        {"name": "cnn", "channels": [4, 6], "dense": 0, "norm": "batch"},
        ["embedding", "grad_cam", "first_layer_filters"],
    ),
    "transformer": (
        {"name": "transformer", "layers": 2, "width": 8, "heads": 2},
        ["embedding", "attention_maps"],
    ),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_the_first_seed_is_shown_and_every_seed_measured(images, make_trial, records_of, kind):
    model, names = IMAGES[kind]
    probes = [resolved(ANY, name) for name in ["confusion_matrix", *names]]
    trials = [
        replace(trial, workload=trial.workload | {"model": resolved(Model, model)})
        for trial in (make_trial(seed, probes=probes) for seed in range(2))
    ]
    records = records_of(trials, images)
    assert {record.state for record in records} == {State.COMPLETE}, records[0].reason
    for record in records:
        counts = artifact(ConfusionMatrix, record.details)["counts"]
        assert (counts.sum(axis=1) == np.bincount(images.test.targets)).all()
        assert np.trace(counts) / counts.sum() == record.metrics["test.accuracy"]
        assert 0 <= record.metrics["probe.neighbour_purity"] <= 1
        assert -1 <= record.metrics["probe.silhouette"] <= 1
    shown = [{key.split(".")[1] for key in record.details} for record in records]
    assert shown == [{"confusion_matrix", *names}, {"confusion_matrix"}]
    again = records_of(trials[:1], images, largest_pack=1)
    assert again[0].deterministic_part() == records[0].deterministic_part()


def test_a_probe_does_not_change_what_is_measured(images, make_trial, records_of):
    model = {"model": resolved(Model, IMAGES["cnn"][0])}
    probes = [resolved(ANY, name) for name in ("embedding", "grad_cam", "first_layer_filters")]
    with_probes, without = (make_trial(0, probes=p, **{}) for p in (probes, []))
    trials = [replace(t, workload=t.workload | model) for t in (with_probes, without)]
    seen, plain = (records_of([trial], images)[0] for trial in trials)
    assert plain.details == {}
    assert plain.metrics.items() <= seen.metrics.items()
    assert plain.curve == seen.curve


def test_the_test_split_stays_locked_outside_confirmation(images, make_trial, records_of):
    trial = make_trial(0, probes=[{"name": "confusion_matrix"}], phase=Phase.SEARCH)
    (record,) = records_of([trial], replace(images, test=None))
    assert record.state is State.FAILED
    assert "may not read" in record.reason


def test_purity_is_one_where_classes_are_apart_and_chance_where_they_are_not():
    generator = np.random.default_rng(0)
    classes = np.arange(400) % 4
    noise = generator.normal(size=(400, 5))
    assert neighbour_purity(noise + 100 * np.eye(5)[classes], classes) == 1
    assert neighbour_purity(noise, classes) == pytest.approx(0.25, abs=0.04)


def test_a_map_keeps_neighbours_and_is_the_same_again():
    generator = np.random.default_rng(0)
    classes = np.arange(90) % 3
    points = generator.normal(size=(90, 6)) + 12 * np.eye(6)[classes]
    places, trust = tsne(points, 30.0, 0)
    assert neighbour_purity(places, classes) == 1
    assert trust > 0.8
    again = tsne(points, 30.0, 0)
    assert (again[0] == places).all()
    assert again[1] == trust


def test_the_last_hidden_layer_is_what_the_last_layer_reads():
    form, inputs = Form((1, 6, 6), 3), torch.randn(5, 1, 6, 6)
    network = network_of({"name": "mlp", "depth": 2, "width": 7}, form)
    hidden = last_hidden(network, inputs)
    assert hidden.shape == (5, 7)
    assert torch.allclose(network[-1](hidden), network(inputs))
    convolution = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 1))
    assert last_hidden(convolution, inputs).shape == (5, 4)
    assert last_hidden(nn.Flatten(), inputs) is None


def test_grad_cam_of_a_linear_head_is_the_weighted_sum_of_its_channels():
    """With a mean over places and a linear map, Grad-CAM is CAM (Selvaraju et al., section 3.1)."""
    form, inputs = Form((1, 8, 8), 3), torch.randn(4, 1, 8, 8)
    config = {"name": "resnet", "blocks": [1], "channels": [5], "norm": "none"}
    network = network_of(config, form)
    before = copy.deepcopy(network.state_dict())
    layer = last_convolution(network)
    classes = torch.tensor([0, 1, 2, 0])
    maps = grad_cam(network, layer, inputs, classes)
    channels = network[:-2](inputs)
    expected = torch.einsum("nc,nchw->nhw", network[-1].weight[classes], channels).relu()
    expected = expected / expected.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)
    assert torch.allclose(maps, expected, atol=1e-5)
    assert all((before[name] == value).all() for name, value in network.state_dict().items())


def test_grad_cam_finds_what_tells_the_class(make_trial, records_of):
    """Somewhere in the noise there is a bar of three pixels, upright or lying."""
    generator = np.random.default_rng(0)
    targets = np.arange(240) % 2
    inputs = 0.2 * generator.random((240, 1, 9, 9)).astype(np.float32)
    places = generator.integers(1, 8, size=(240, 2))
    for image, label, (row, column) in zip(inputs[:, 0], targets, places, strict=True):
        bar = (slice(row - 1, row + 2), column) if label else (row, slice(column - 1, column + 2))
        image[bar] = 1
    parts = Examples(inputs[:160], targets[:160]), Examples(inputs[160:], targets[160:])
    data = TrialData("bars", Form((1, 9, 9), 2), *parts)
    config = {"name": "resnet", "blocks": [1], "channels": [8], "norm": "none"}
    probe = resolved(ANY, {"name": "grad_cam", "examples": 10})
    trial = make_trial(0, probes=[probe], epochs=30, optimizer={"lr": 0.01})
    trial = replace(trial, workload=trial.workload | {"model": resolved(Model, config)})
    (record,) = records_of([trial], data)
    assert record.metrics["test.accuracy"] > 0.9
    found = artifact(GradCAM, record.details)
    right = found["classes"] == found["predicted"]
    assert right.sum() == 10
    ratios = []
    for image, heat in zip(found["images"][right, 0], found["maps"][right], strict=True):
        row, column = (round(where.mean()) for where in np.nonzero(image > 200))
        near = heat[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
        ratios.append(near.mean() / heat.mean())
    assert np.mean(ratios) > 1.5


def test_examples_are_of_all_classes_and_of_the_surest_mistakes():
    targets = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])
    predicted = torch.tensor([0, 0, 0, 1, 0, 2, 1, 0])
    surety = torch.tensor([0.9, 0.9, 0.9, 0.9, 0.5, 0.9, 0.8, 0.6])
    assert chosen(predicted, targets, surety, 4).tolist() == [0, 3, 5, 1, 6, 7, 4]
    assert chosen(predicted, targets, surety, 1).tolist() == [0, 6]


def test_pixels_are_bytes_of_bounded_size():
    assert pixels(np.full((1, 1, 2, 2), 0.5)).tolist() == [[[[128, 128], [128, 128]]]]
    assert pixels(np.zeros((1, 3, 200, 100), dtype=np.uint8)).shape == (1, 3, 29, 15)


def test_filters_are_kernels_or_rows_of_the_first_matrix():
    form = Form((1, 6, 6), 3)
    cnn = network_of({"name": "cnn", "channels": [4], "dense": 0}, form)
    assert first_filters(cnn, form.shape).shape == (4, 1, 3, 3)
    mlp = network_of({"name": "mlp", "depth": 1, "width": 8}, form)
    filters = first_filters(mlp, form.shape)
    assert filters.shape == (8, 1, 6, 6)
    assert (filters.flatten(1) == mlp[1].linear.weight).all()
    assert first_filters(mlp, (3, 3)) is None


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("causal", [True, False])
def test_attention_weights_are_those_that_mix_the_values(norm, causal):
    form = Form((7,), 5, "sequence", vocabulary=9)
    config = {"name": "transformer", "layers": 2, "width": 8, "heads": 2, "norm": norm}
    network = network_of(config | {"causal": causal}, form)
    inputs = torch.tensor([[3, 1, 4, 1, 5, 8, 2]])
    maps = attention_maps(network, inputs)
    assert maps.shape == (2, 2, 7, 7)
    assert torch.allclose(maps.sum(dim=-1), torch.ones(2, 2, 7))
    assert (maps.triu(1) == 0).all() == causal
    layer = network.layers[0]
    states, _ = network._embed(inputs)
    read = layer.attention_norm(states) if norm == "pre" else states
    value = layer.attention._split(read)[2]
    mixed = (maps[0][None] @ value).transpose(1, 2).reshape(1, 7, 8)
    expected = layer.attention(read, None, causal)  # by the fused kernel
    assert torch.allclose(layer.attention.output(mixed), expected, atol=1e-6)


class Successor(nn.Module):
    """Says that the next id is the last one plus one, with some doubt."""

    def __init__(self, ids):
        super().__init__()
        self.ids = nn.Parameter(torch.tensor(ids), requires_grad=False)

    def forward(self, inputs):
        return 5.0 * nn.functional.one_hot((inputs + 1) % int(self.ids), int(self.ids)).float()


def test_text_is_written_one_character_after_the_other():
    network = Successor(12)

    def written(temperature, seed=0, known=12):
        draw = torch.Generator().manual_seed(seed)
        return written_on(network, [2, 3, 4], 40, Sampling(temperature, 8, known, draw))

    assert written(0.01)[:5] == [5, 6, 7, 8, 9]
    assert written(1.0) == written(1.0)
    assert written(1.0) != written(1.0, seed=1)
    assert set(written(50.0)) == set(range(2, 12))  # neither the unused id nor the unknown one
    assert set(written(50.0, known=6)) == set(range(2, 6))


def test_a_character_model_shows_its_text_and_its_attention(tmp_path, make_trial, records_of):
    config = {"name": "characters", "source": str(tmp_path / "text"), "length": 16,
              "vocabulary": 30, "validation_fraction": 0.1}  # fmt: skip
    (tmp_path / "text").write_text("to be or not to be, " * 120)
    data = load(config, tmp_path).for_phase(Phase.CONFIRMATION)
    model = {"name": "transformer", "layers": 1, "width": 8, "heads": 2, "positions": "learned"}
    probes = [
        resolved(
            setting(PROBES),
            {"name": "generated_text", "characters": 50, "temperatures": [0.1, 1.0]},
        ),
        resolved(ANY, {"name": "attention_maps", "steps": 8}),
    ]
    trial = make_trial(0, probes=probes, data=config, epochs=1, loss="auto")
    trial = replace(trial, workload=trial.workload | {"model": resolved(Model, model)})
    (record,) = records_of([trial], data)
    assert record.state is State.COMPLETE, record.reason
    texts = artifact(GeneratedText, record.details)
    assert texts["temperatures"].tolist() == [0.1, 1.0]
    prompt, *samples = texts["texts"]
    assert prompt in "to be or not to be, " * 3
    assert [len(sample) for sample in samples] == [50, 50]
    assert set("".join(samples)) <= set("to be or not to be, ")
    shown = artifact(AttentionMaps, record.details)
    assert shown["maps"].shape == (2, 8, 8)
    assert abs(shown["maps"].sum(axis=-1) - 1000).max() <= 4  # each rounded to thousandths
    assert shown["steps"].tolist() == [8, 16]
    assert "".join(shown["tokens"]) in "to be or not to be, " * 3
