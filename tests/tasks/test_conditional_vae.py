"""A variational autoencoder that knows classes: its bound, and samples of a class asked for."""

import re
from functools import partial

import numpy as np
import pytest
import torch
from one_trial import train, trial_of

from harness.data_spec import Form
from harness.models import build
from harness.probes.base import Shown, artifact
from harness.probes.wanted_class import WantedClass
from harness.registry import PROBES, TASKS
from harness.study import InputError, load_study
from harness.study.workload import Workload
from harness.tasks.base import Batch
from harness.train.stage_products import data_of
from harness.trial import Given, Phase
from harness.workloads import load

CVAE = {
    "data": {"name": "digits", "limit": 600},
    "task": {
        "name": "conditional_vae", "latent": 8, "decoder": {"name": "mlp", "depth": 1},
    },
    "model": {"name": "mlp", "depth": 1, "width": 64},
    "optimizer": {"name": "adam", "lr": 5e-3},
    "batch_size": 32,
    "epochs": 15,
}  # fmt: skip
GAN = {"name": "adversarial", "noise": 8, "conditional": True}
FORM = Form((1, 8, 8), 10)
make = partial(trial_of, CVAE)


class Alone:
    """A state of an evaluation."""

    def __init__(self, network):
        self.networks, self.form = {"model": network}, FORM
        self.generator = torch.Generator().manual_seed(3)


def test_the_bound_is_that_of_a_normal_decoder_that_is_told_the_class():
    task = TASKS.read(CVAE["task"])
    settings = Workload.model_validate(CVAE)
    network = task.build(settings, FORM, lambda m, f, p: build(m, f, 1))["model"].eval()
    inputs = torch.randn(20, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    classes = torch.arange(20) % 10
    one_hot = torch.eye(10)[classes]
    with torch.no_grad():
        found = task.evaluate(Alone(network), Batch(inputs, classes))
        planes = one_hot[:, :, None, None].expand(-1, -1, 8, 8)
        said = network.encoder(torch.cat([inputs, planes], dim=1)).double()
        mean, log_variance = said.chunk(2, dim=1)
        codes = torch.distributions.Normal(mean, (log_variance / 2).exp())
        standard = torch.distributions.Normal(0.0, 1.0)
        divergence = torch.distributions.kl_divergence(codes, standard).sum(1).mean()
        draws = torch.randn(mean.shape, generator=torch.Generator().manual_seed(3))
        drawn = (mean + (log_variance / 2).exp() * draws).float()
        restored = network.decoder(torch.cat([drawn, one_hot], dim=1)).double()
    wanted = inputs.flatten(1).double()
    deviation = (restored - wanted).square().mean().sqrt()
    likelihood = torch.distributions.Normal(restored, deviation).log_prob(wanted).sum(1).mean()
    assert found["divergence"] == pytest.approx(float(divergence), rel=1e-5)
    assert found["conditional_negative_elbo"] == pytest.approx(
        float(divergence - likelihood), rel=1e-4)  # fmt: skip


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    trial = make(Phase.PRETRAINING, task=None)
    return Given(trial, FORM, train(trial, tmp_path_factory.mktemp("reader")).products)


def test_samples_are_of_the_class_that_was_asked_for(reader, tmp_path):
    trial = make(
        probes=["wanted_class", "sample_quality"], uses={"classifier": "reader"}, epochs=40
    )
    record = train(trial, tmp_path, {"classifier": reader})
    assert record.metrics["probe.wanted_class"] > 0.8
    assert record.metrics["probe.wanted_class_lowest"] <= record.metrics["probe.wanted_class"]
    assert record.metrics["probe.covered_classes"] == 1
    bounds = [point["validation.conditional_negative_elbo"] for point in record.curve]
    assert min(bounds) < bounds[0] - 10
    parts = artifact(WantedClass, record.details)
    assert parts["ways"].shape == (10, 10, 1, 8, 8)
    assert PROBES.read("wanted_class").draw([Shown("arm", 0, parts)], None)
    again = train(trial, tmp_path, {"classifier": reader})
    assert again.deterministic_part() == record.deterministic_part()


def test_a_generator_of_noise_hits_a_class_by_chance(reader, tmp_path):
    """One step of training makes no digits: about one in ten is taken for the class wanted."""
    trial = make(probes=["wanted_class"], uses={"classifier": "reader"}, task=GAN, epochs=1,
                 optimizer={"name": "adam", "lr": 1e-6})  # fmt: skip
    found = train(trial, tmp_path, {"classifier": reader}).metrics
    assert found["probe.wanted_class"] < 0.3
    assert found["probe.wanted_class_lowest"] <= found["probe.wanted_class"]


def test_as_a_stage_it_gives_labelled_samples(tmp_path):
    trial = make(Phase.PRETRAINING, task={**CVAE["task"], "drawn": 30})
    given = Given(trial, FORM, train(trial, tmp_path).products)
    data = load(trial.workload["data"], tmp_path).for_phase(Phase.CONFIRMATION)
    helped = data_of(data, {"augmentation": given}, torch.device("cpu"))
    assert helped.examples.added == 30
    assert helped.examples.targets[-30:].tolist() == [*range(10)] * 3
    drawn = helped.examples.inputs[-30:]
    assert not np.allclose(drawn[0], drawn[10])
    assert abs(drawn.mean() - data.examples.inputs.mean()) < data.examples.inputs.std()
    study = {
        "study": "s", "question": "?", "seeds": 5, "workload": {**CVAE, "task": None},
        "stages": {"painter": {"task": CVAE["task"]}},
        "arms": {"alone": {}, "helped": {"uses": {"augmentation": "painter"}}},
    }  # fmt: skip
    assert len(load_study(study).arms) == 3


def test_convolutions_read_the_class_as_channels(tmp_path):
    cnn = {"name": "cnn", "channels": [4], "dense": 0, "norm": "none"}
    decoder = {"name": "convolutional_decoder", "channels": [4]}
    task = {**CVAE["task"], "decoder": decoder}
    record = train(make(Phase.PRETRAINING, model=cnn, task=task, epochs=2), tmp_path)
    assert record.weights["encoder.0.linear.weight"].shape[1] == 11


@pytest.mark.parametrize(
    ("changes", "probes", "said"),
    [
        ({"data": {"name": "table", "source": "diabetes"}}, [], "needs targets of kind class"),
        ({"model": "pca"}, [], "pca is no network"),
        ({}, ["wanted_class"], "needs a classifier"),
        ({"task": None}, ["wanted_class"], "needs a task that generates examples of a class"),
        ({"task": {**GAN, "conditional": False}}, ["wanted_class"], "`conditional: true`"),
        ({}, ["codes"], "needs an autoencoder"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(changes, probes, said):
    study = {"study": "s", "question": "?", "workload": {**CVAE, **changes}, "seeds": 5}
    with pytest.raises(InputError, match=re.escape(said)):
        load_study({**study, "probes": probes})
