"""Autoencoders and principal components: what they learn, what is measured, what is refused."""

import json
import math
import re
from functools import partial

import numpy as np
import pytest
import torch
from one_trial import train, trial_of
from pydantic import TypeAdapter
from sklearn.decomposition import PCA, sparse_encode

from harness.data_spec import Form
from harness.figures._images import are_images, rows_of_images
from harness.layers import last_hidden
from harness.layers.codes import SparseCode
from harness.models import build, pca
from harness.probes._samples import precision_and_recall
from harness.probes.base import Shown, artifact
from harness.probes.codes import Codes, plane_of
from harness.probes.interpolations import Interpolations, unlike_pairs
from harness.probes.reconstructions import Reconstructions, in_turn
from harness.registry import NETWORKS, PROBES, TASKS
from harness.study import InputError, load_study
from harness.study.workload import Workload
from harness.tasks.base import Batch
from harness.train import Setting, train_in
from harness.trial import Given, Phase, Record, State
from harness.workloads import load

TASK = {"name": "reconstruction", "code": 8, "decoder": {"name": "mlp", "depth": 1, "width": 32}}
AUTOENCODER = {
    "data": {"name": "digits", "limit": 400},
    "task": TASK,
    "model": {"name": "mlp", "depth": 1, "width": 32},
    "optimizer": {"name": "adam", "lr": 5e-3},
    "batch_size": 32,
    "epochs": 6,
}
READER = {**AUTOENCODER, "task": None, "epochs": 4}
PROBED = [PROBES.read(name).for_trial(None) for name in ("codes", "reconstructions")]
FORM = Form((1, 8, 8), 10)
make = partial(trial_of, AUTOENCODER)


def error(tmp_path, **changes):
    return train(make(**changes), tmp_path).metrics["test.reconstruction_error"]


# --- the task -------------------------------------------------------------------------------------
def test_an_autoencoder_learns_to_restore_its_inputs_the_better_the_wider_its_code(tmp_path):
    record = train(make(probes=PROBED), tmp_path)
    errors = [point["validation.reconstruction_error"] for point in record.curve]
    assert errors[-1] < errors[0] < 1
    assert {"train.loss", "train.error"} <= set(record.curve[0])
    assert record.deterministic_part() == train(make(probes=PROBED), tmp_path).deterministic_part()
    wide = error(tmp_path, task={**TASK, "code": 32})
    assert wide < record.metrics["test.reconstruction_error"] < error(
        tmp_path, task={**TASK, "code": 1})  # fmt: skip


@pytest.mark.parametrize(
    "more", [{"noise": 0.5}, {"sparsity": 0.1}, {"beta": 1.0}, {"beta": 4.0}], ids=str
)
def test_noise_sparsity_and_beta_change_what_is_learned(more, tmp_path):
    plain = train(make(), tmp_path)
    record = train(make(task={**TASK, **more}), tmp_path)
    assert record.metrics["test.reconstruction_error"] != pytest.approx(
        plain.metrics["test.reconstruction_error"], rel=1e-4)  # fmt: skip
    assert ("test.negative_elbo" in record.metrics) == ("beta" in more)


def test_a_sparse_code_is_smaller_and_a_heavier_divergence_is_less(tmp_path):
    def size(**more):
        record = train(make(phase=Phase.PRETRAINING, task={**TASK, **more}), tmp_path)
        task = TASKS.read(record.trial.workload["task"])
        network = rebuilt(record, task)
        inputs = torch.randn(50, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        return float(network.encode(inputs).abs().mean().detach())

    assert size(sparsity=10.0) < 0.9 * size()
    divergence = [
        train(make(task={**TASK, "beta": beta}), tmp_path).metrics["test.divergence"]
        for beta in (0.5, 5.0)
    ]
    assert divergence[1] < divergence[0]


def rebuilt(record, task):
    settings = Workload.model_validate_json(json.dumps(record.trial.workload), strict=True)
    network = task.build(settings, FORM, lambda model, form, part: build(model, form, 0))["model"]
    network.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in record.weights.items()})
    return network.eval()


class Alone:
    """A state of an evaluation."""

    def __init__(self, network):
        self.networks, self.form = {"model": network}, FORM
        self.generator = torch.Generator().manual_seed(3)


def test_the_bound_is_that_of_a_normal_decoder_and_a_standard_normal_code():
    task = TASKS.read({**TASK, "beta": 3.0})
    settings = Workload.model_validate({**AUTOENCODER, "task": {**TASK, "beta": 3.0}})
    network = task.build(settings, FORM, lambda m, f, p: build(m, f, 1))["model"].eval()
    inputs = torch.randn(20, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = task.evaluate(Alone(network), Batch(inputs, torch.zeros(20)))
        mean, log_variance = network.encoder(inputs).double().chunk(2, dim=1)
        codes = torch.distributions.Normal(mean, (log_variance / 2).exp())
        standard = torch.distributions.Normal(0.0, 1.0)
        divergence = torch.distributions.kl_divergence(codes, standard).sum(1).mean()
        draws = torch.randn(mean.shape, generator=torch.Generator().manual_seed(3))
        restored = network.decode((mean + (log_variance / 2).exp() * draws).float()).double()
    wanted = inputs.flatten(1).double()
    deviation = (restored - wanted).square().mean().sqrt()
    likelihood = torch.distributions.Normal(restored, deviation).log_prob(wanted).sum(1).mean()
    assert found["divergence"] == pytest.approx(float(divergence), rel=1e-5)
    assert found["negative_elbo"] == pytest.approx(float(divergence - likelihood), rel=1e-4)


def test_a_stage_gives_its_code_as_features_and_draws_samples(tmp_path):
    variational = make(Phase.PRETRAINING, task={**TASK, "beta": 1.0})
    stage = train(variational, tmp_path)
    given = {"features": Given(variational, FORM, stage.products)}
    user = make(task=None, uses={"features": "auto"}, model="logistic_regression")
    network = rebuilt(stage, TASKS.read(variational.workload["task"]))
    assert last_hidden(network, torch.zeros(3, 1, 8, 8)).shape == (3, 8)
    record = train(make(task=None, uses={"features": "auto"}, epochs=15), tmp_path, given)
    assert record.metrics["test.accuracy"] > 0.6
    assert user.workload["uses"] == {"features": "auto"}
    task = TASKS.read(variational.workload["task"])
    drawn = task.sample(network, 5, torch.Generator().manual_seed(0), (1, 8, 8))
    assert drawn.shape == (5, 1, 8, 8)
    assert not torch.equal(drawn[0], drawn[1])


@pytest.mark.parametrize("more", [{}, {"beta": 1.0}], ids=["plain", "variational"])
def test_a_classifier_starts_from_an_encoder_that_never_saw_a_label(more, tmp_path):
    trial = make(Phase.PRETRAINING, task={**TASK, **more})
    stage = train(trial, tmp_path)
    given = {"initial": Given(trial, FORM, stage.products)}
    frozen = {"from": "auto", "freeze": "features"}
    user = make(Phase.PRETRAINING, task=None, transfer=frozen, epochs=2)
    weights = train(user, tmp_path, given).weights
    assert np.array_equal(weights["1.linear.weight"], stage.weights["encoder.1.linear.weight"])
    assert weights["2.weight"].shape == (10, 32)
    tuned = make(Phase.PRETRAINING, task=None, transfer={"from": "auto"}, epochs=2)
    moved = train(tuned, tmp_path, given).weights["1.linear.weight"]
    assert not np.array_equal(moved, weights["1.linear.weight"])
    assert np.corrcoef(moved.ravel(), weights["1.linear.weight"].ravel())[0, 1] > 0.9


# --- convolutions ---------------------------------------------------------------------------------
@pytest.mark.parametrize("outputs", [64, 49, 3 * 25, 784])
def test_a_convolutional_decoder_makes_images_of_vectors(outputs):
    network = build({"name": "convolutional_decoder"}, Form((5,), outputs, "numbers"), 0)
    assert network(torch.zeros(2, 5)).shape == (2, outputs)


def test_a_convolutional_decoder_says_what_it_cannot_make():
    with pytest.raises(ValueError, match="square images of 1 or 3 channels; 7 numbers"):
        build({"name": "convolutional_decoder"}, Form((5,), 7, "numbers"), 0)


def test_a_convolutional_autoencoder_learns(tmp_path):
    changes = {
        "model": {"name": "cnn", "channels": [8], "dense": 0, "norm": "none"},
        "task": {**TASK, "decoder": {"name": "convolutional_decoder", "channels": [8]}},
    }
    record = train(make(**changes), tmp_path)
    errors = [point["validation.reconstruction_error"] for point in record.curve]
    assert errors[-1] < 0.8 * errors[0]


# --- principal components -------------------------------------------------------------------------
def test_principal_components_are_measured_as_autoencoders_are(tmp_path):
    record = train(make(model={"name": "pca"}, probes=PROBED), tmp_path)
    trained = train(make(probes=PROBED), tmp_path)
    assert set(record.metrics) == set(trained.metrics)
    dataset = load(record.trial.workload["data"], tmp_path)
    inputs = dataset.test.inputs.reshape(len(dataset.test), -1)
    assert record.metrics["train.reconstruction_error"] < trained.metrics[
        "train.reconstruction_error"]  # fmt: skip
    # the same by scikit-learn's own words, where the whole is the training split
    rows = inputs.astype(np.float64)
    model = PCA(8, svd_solver="full").fit(rows)
    restored = model.inverse_transform(model.transform(rows))
    ours = pca.PCA(name="pca").fit(torch.from_numpy(inputs), torch.from_numpy(inputs),
                                Form((64,), 8, "numbers"), None)  # fmt: skip
    with torch.no_grad():
        assert torch.allclose(ours.network(torch.from_numpy(inputs)).double(),
                              torch.from_numpy(restored), atol=1e-4)  # fmt: skip


def test_a_linear_autoencoder_comes_near_to_principal_components(tmp_path):
    linear = {"name": "mlp", "depth": 0}
    changes = {"model": linear, "task": {**TASK, "decoder": linear}, "epochs": 80}
    ours = error(tmp_path, **changes, optimizer={"name": "adam", "lr": 0.02}, schedule="cosine")
    assert ours == pytest.approx(error(tmp_path, model="pca"), rel=0.05)


def test_too_many_components_are_refused_when_they_are_fitted(tmp_path):
    trial = make(model="pca", task={**TASK, "code": 100})
    data = load(trial.workload["data"], tmp_path).for_phase(trial.phase)
    (record,) = [e for e in train_in(Setting(), [trial], data) if isinstance(e, Record)]
    assert record.state is State.FAILED
    assert "pca has at most 64 components here" in record.reason


# --- other simple codes ---------------------------------------------------------------------------
def simple(name, inputs, code, **settings):
    """Return a simple model's network, fitted to inputs, with its codes and what it restores."""
    rows = torch.from_numpy(inputs)
    model = TypeAdapter(NETWORKS.find(name)).validate_python({"name": name, **settings})
    network = model.fit(rows, rows, Form((inputs.shape[1],), code, "numbers"), None).network
    with torch.no_grad():
        return network.encode(rows).numpy(), network(rows).numpy()


@pytest.mark.parametrize("name", ["ica", "kmeans", "sparse_coding"])
def test_a_simple_code_is_measured_as_autoencoders_are(name, tmp_path):
    record = train(make(model=name, probes=PROBED), tmp_path)
    assert {"test.reconstruction_error", "probe.code_accuracy"} <= set(record.metrics)
    assert record.metrics["test.reconstruction_error"] < 0.9  # 1: the mean alone
    assert record.metrics["probe.code_accuracy"] > 0.3


def test_independent_components_find_sources_that_principal_ones_mix():
    draws = np.random.default_rng(0)
    sources = draws.uniform(-1, 1, (2000, 2))
    inputs = (sources @ [[1.0, 0.6], [0.4, 1.0]] + 3).astype(np.float32)
    found = {name: simple(name, inputs, 2) for name in ("ica", "pca")}
    agree = {
        name: np.abs(np.corrcoef(codes.T, sources.T)[:2, 2:]).max(axis=1).min()
        for name, (codes, _) in found.items()
    }
    assert agree["ica"] > 0.99 > agree["pca"]
    for _, restored in found.values():
        assert np.allclose(restored, inputs, atol=1e-4)


def test_a_code_of_clusters_names_the_nearest_centre():
    draws = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], 50)
    centres = np.array([[0, 0], [10, 0], [0, 10]])
    inputs = (centres[groups] + draws.normal(size=(150, 2))).astype(np.float32)
    codes, restored = simple("kmeans", inputs, 3)
    assert set(codes.sum(axis=1)) == {1.0}
    for group in range(3):
        members = groups == group
        assert len(np.unique(codes[members], axis=0)) == 1
        assert np.allclose(restored[members], inputs[members].mean(axis=0), atol=1e-3)


def test_a_sparse_code_is_the_one_that_scikit_learn_finds():
    draws = np.random.default_rng(0)
    inputs = draws.normal(size=(300, 12)).astype(np.float32)
    atoms, mean = draws.normal(size=(20, 12)), inputs.mean(axis=0)
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    with torch.no_grad():
        ours = SparseCode(atoms, mean, 0.5)(torch.from_numpy(inputs)).numpy()
    theirs = sparse_encode(inputs - mean, atoms, algorithm="lasso_lars", alpha=0.5)
    assert np.allclose(ours, theirs, atol=0.02)
    weak, strong = (simple("sparse_coding", inputs, 20, penalty=p)[0] for p in (0.1, 1.0))
    assert (strong == 0).mean() > (weak == 0).mean() > 0


# --- probes ---------------------------------------------------------------------------------------
def test_codes_tell_classes_apart_and_noise_costs_accuracy(tmp_path):
    found = train(make(probes=PROBED), tmp_path).metrics
    assert found["probe.code_accuracy"] > 0.5
    assert 0.1 < found["probe.noisy_code_accuracy"] < found["probe.code_accuracy"]
    assert found["probe.code_purity"] > 0.3
    quiet = {**PROBED[0], "noise": 0.0}
    same = train(make(probes=[quiet]), tmp_path).metrics
    assert same["probe.noisy_code_accuracy"] == same["probe.code_accuracy"]


def reader(tmp_path):
    trial = make(Phase.PRETRAINING, **{k: READER[k] for k in ("task", "epochs")})
    return Given(trial, FORM, train(trial, tmp_path).products)


def test_a_classifier_judges_midpoints(tmp_path):
    probe = PROBES.read("interpolations").for_trial(None)
    given = {"classifier": reader(tmp_path)}
    trial = make(probes=[probe], uses={"classifier": "reader"})
    found = train(trial, tmp_path, given)
    middle, end = (found.metrics[f"probe.{n}_confidence"] for n in ("midpoint", "endpoint"))
    assert 0.1 < middle < end <= 1
    ways = artifact(Interpolations, found.details)["ways"]
    assert ways.shape == (4, 7, 1, 8, 8)
    components = train(make(probes=[probe], uses={"classifier": "reader"}, model="pca"),
                       tmp_path, given)  # fmt: skip
    assert 0.1 < components.metrics["probe.midpoint_confidence"] < 1


def test_midpoints_of_a_straight_code_are_judged_by_the_classifier_itself(tmp_path):
    """With as many components as numbers, the decoded midpoint is the mean of both inputs."""
    probe = {**PROBES.read("interpolations").for_trial(None), "pairs": 50}
    classifier = reader(tmp_path)
    trial = make(probes=[probe], uses={"classifier": "r"}, model="pca", task={**TASK, "code": 60})
    found = train(trial, tmp_path, {"classifier": classifier}).metrics
    from harness.seeding import stream
    from harness.train.stage_products import StageNetwork

    test = load(trial.workload["data"], tmp_path).test
    left, right = unlike_pairs(test.targets, 50, stream(0, "interpolations"))
    raw = torch.from_numpy(test.inputs)
    stage = StageNetwork(classifier, torch.device("cpu"), lambda: None)
    division = classifier.products["normalization"]
    every = (raw - float(division["mean"])) * float(division["scale"])
    inputs = (every[left] + every[right]) / 2
    expected = stage.predictions(inputs).softmax(1).amax(1).mean()
    assert found["probe.midpoint_confidence"] == pytest.approx(float(expected), abs=0.01)
    near, *_ = precision_and_recall(stage.embeddings(inputs), stage.embeddings(every))
    assert found["probe.midpoint_precision"] == pytest.approx(near, abs=0.05)


def test_pairs_are_of_different_classes_and_images_one_of_each_class():
    classes = np.array([0, 0, 0, 1, 2, 2])
    left, right = unlike_pairs(classes, 40, 1)
    assert len(left) == len(right) == 40
    assert (classes[left] != classes[right]).all()
    assert in_turn(classes, 4).tolist() == [0, 3, 4, 1]
    assert in_turn(np.array([0.5, 1.5]), 4).tolist() == [0, 1]
    with pytest.raises(ValueError, match="two classes"):
        unlike_pairs(np.zeros(5, int), 3, 0)


def test_the_plane_of_a_code_is_its_two_numbers_or_its_first_components():
    codes = np.random.default_rng(0).normal(size=(30, 2))
    assert plane_of(codes) is codes
    wide = np.column_stack([10 * codes[:, 0], 5 * codes[:, 1], 0.1 * codes[:, 0]])
    plane = plane_of(wide)
    assert plane.shape == (30, 2)
    assert np.abs(np.corrcoef(plane[:, 0], wide[:, 0])[0, 1]) > 0.99


def test_pictures_are_drawn_of_what_was_kept_and_nothing_of_other_shapes(tmp_path):
    record = train(make(probes=PROBED), tmp_path)
    for kind in (Codes, Reconstructions):
        parts = artifact(kind, record.details)
        probe = PROBES.read(kind.__name__.lower())
        picture = probe.draw([Shown("arm", 0, parts)], None)
        assert len(picture.panels) == 1
        assert "Seed 0" in picture.caption
        cut = {name: part[:0] for name, part in parts.items()}
        assert probe.draw([Shown("arm", 0, cut)], None) is None
    ways = np.zeros((2, 7, 3, 4, 4))
    assert PROBES.read("interpolations").draw([Shown("arm", 0, {"ways": ways})], None)
    assert not are_images(np.zeros((2, 2, 4, 4)))
    figure = rows_of_images("title", [("a", np.zeros((2, 1, 4, 4))), ("b", np.zeros((1, 3, 4, 4)))])
    assert len(figure.axes) == 3
    assert math.isfinite(figure.get_figwidth())


# --- what is refused ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss": "cross_entropy"}, "`loss` is of no use with the task reconstruction"),
        ({"task": {**TASK, "decoder": "pca"}}, "pca is no network that could restore inputs"),
        ({"model": "logistic_regression"}, "logistic_regression learns from targets"),
        ({"model": "pca", "task": {**TASK, "noise": 0.1}}, "`task.noise` is of no use with pca"),
        ({"task": {**TASK, "beta": 1.0, "sparsity": 1.0}}, "`task.sparsity` is for codes"),
        ({"task": None, "model": "pca"}, "pca restores inputs: write `task: reconstruction`"),
        ({"task": {**TASK, "codes": 3}}, "codes"),
    ],
    ids=str,
)
def test_what_does_not_go_with_the_task_is_refused(changes, said):
    study = {"study": "s", "question": "?", "workload": {**AUTOENCODER, **changes}, "seeds": 5}
    with pytest.raises(InputError, match=re.escape(said)):
        load_study(study)


@pytest.mark.parametrize(
    ("probe", "changes", "said"),
    [
        ("codes", {"task": None}, "needs an autoencoder (`task: reconstruction`)"),
        ("interpolations", {}, "needs a classifier"),
        ("reconstructions", {"data": "table"}, "needs images"),
        ("gradient_norms", {}, "its task is reconstruction"),
    ],
)
def test_probes_say_what_they_need(probe, changes, said):
    workload = {**AUTOENCODER, **changes}
    with pytest.raises(InputError, match=re.escape(said)):
        load_study({"study": "s", "question": "?", "workload": workload, "seeds": 5,
                    "probes": [probe]})  # fmt: skip


def test_arms_with_another_bound_cannot_be_compared_by_their_training_loss():
    """What is minimized differs between a plain and a variational arm: only the error is common."""
    study = {
        "study": "s", "question": "?", "workload": AUTOENCODER, "seeds": 5,
        "factors": {"kind": {"levels": {"plain": {}, "variational": {"task.beta": 1.0}}}},
        "claims": [{"id": "c", "says": "x", "metric": "train.loss", "less_by": 0.1,
                    "contrast": {"kind": ["variational", "plain"]}}],
    }  # fmt: skip
    with pytest.raises(InputError, match="loss"):
        load_study(study)


def test_errors_of_inputs_on_other_scales_are_not_compared():
    study = {
        "study": "s", "question": "?", "workload": AUTOENCODER, "seeds": 5,
        "factors": {"scale": {"levels": {"one": {}, "own": {"data.normalize": False}}}},
        "claims": [{"id": "c", "says": "x", "metric": "test.reconstruction_error", "less_by": 0.1,
                    "contrast": {"scale": ["own", "one"]}}],
    }  # fmt: skip
    with pytest.raises(InputError, match=re.escape("in the unit of the inputs")):
        load_study(study)
    for path, value in (("limit", 90), ("validation_fraction", 0.4)):
        study["factors"] = {"scale": {"levels": {"one": {}, "own": {f"data.{path}": value}}}}
        with pytest.raises(InputError, match=f"in deviations of the inputs .*data.{path}"):
            load_study(study)
    study["factors"] = {"scale": {"levels": {"one": {}, "own": {"task.code": 4}}}}
    assert load_study(study)
