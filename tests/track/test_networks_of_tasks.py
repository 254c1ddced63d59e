"""A run logs the networks of every task, and they answer as their records say."""

import numpy as np
import pytest
import torch
from sharing import one_word
from tracking_examples import client

from harness.cli.app import run
from harness.tasks.adversarial import energy_distance
from harness.workloads import load

STUDY = """\
study: every-task
question: Are the networks of all tasks to be had?
workload:
  data: {name: digits, limit: 600}
  model: {name: mlp, depth: 1, width: 64}
  optimizer: {name: adam, lr: 3e-3}
  epochs: 4
simple_baseline: none
stages:
  whole: {epochs: 2}
arms:
  restored: {task: {name: reconstruction, code: 8}}
  variational: {task: {name: reconstruction, code: 8, beta: 1.0}}
  contracted: {task: {name: contractive_autoencoder, code: 8}, model.activation: sigmoid}
  boltzmann: {task: boltzmann_machine, model.activation: sigmoid}
  vae-by-class: {task: {name: conditional_vae, latent: 8}}
  gan: {task: {name: adversarial, noise: 8}, keep: last}
  gan-by-class: {task: {name: adversarial, noise: 8, conditional: true}, keep: last}
  diffusion: {task: {name: diffusion, levels: 50, sampling_steps: 5}, epochs: 20}
  written: {task: {name: autoregressive, levels: 8}, model: {name: recurrent, cell: gru, width: 8}}
  eight-bits: {task: quantized_classification}
  cut: {task: {name: pruned_classification, share: 0.8}, uses: {dense: whole}}
  thin: {task: {name: structured_pruned_classification, share: 0.25}, uses: {dense: whole}}
  two-tasks: {task: multitask}
seeds: 2
"""
GENERATORS = {
    "gan": (8,), "gan-by-class": (18,), "vae-by-class": (18,), "diffusion": (1, 8, 8),
    "written": (1, 8, 8),
}  # fmt: skip
RESTORING = ["restored", "variational", "contracted", "boltzmann"]


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """What each arm's network answers, the metrics of its record, and the data."""
    import mlflow

    folder = tmp_path_factory.mktemp("tasks")
    (folder / "every-task.yaml").write_text(STUDY)
    where = ["--results", str(folder / "results"), "--out", str(folder / "reports")]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("harness.report.build_page", one_word)
        said = run(["run", str(folder / "every-task.yaml"), "--in-process", "--models", *where])
    assert said == 0
    address = f"sqlite:///{folder}/results/mlflow.db"
    mlflow.set_tracking_uri(address)
    store = client(address)
    number = store.get_experiment_by_name("every-task").experiment_id
    found = {}
    for one in store.search_logged_models([number]):
        metrics = store.get_run(one.source_run_id).data.metrics
        found[one.tags["arm"]] = mlflow.pyfunc.load_model(f"models:/{one.model_id}"), metrics
    return found, load({"name": "digits", "limit": 600}, folder)


def test_every_arm_has_one(logged):
    assert set(logged[0]) == {"baseline", *RESTORING, *GENERATORS,
                              "eight-bits", "cut", "thin", "two-tasks"}  # fmt: skip


@pytest.mark.parametrize("arm", ["baseline", "eight-bits", "cut", "thin", "two-tasks"])
def test_classes_are_told_as_recorded(logged, arm):
    (model, metrics), test = logged[0][arm], logged[1].test
    shares = model.predict(test.inputs)
    assert (shares.argmax(axis=1) == test.targets).mean() == pytest.approx(metrics["test/accuracy"])
    loss = -np.log(shares[np.arange(len(test.targets)), test.targets]).mean()
    assert loss == pytest.approx(metrics["test/loss"], rel=1e-4)


@pytest.mark.parametrize("arm", RESTORING)
def test_inputs_are_restored_as_recorded(logged, arm):
    (model, metrics), data = logged[0][arm], logged[1]
    restored = model.predict(data.test.inputs)
    assert restored.shape == data.test.inputs.shape
    # the error is of inputs whose deviation over the training part is 1, which is of some seed
    error = np.square(restored - data.test.inputs).mean() / data.examples.inputs.std() ** 2
    assert error == pytest.approx(metrics["test/reconstruction_error"], rel=0.02)


@pytest.mark.parametrize("arm", GENERATORS)
def test_examples_are_made_of_noise(logged, arm):
    (model, metrics), data = logged[0][arm], logged[1]
    noise = np.random.default_rng(3).standard_normal((len(data.test.inputs), *GENERATORS[arm]),
                                                     dtype=np.float32)  # fmt: skip
    if arm.endswith("-by-class"):
        noise[:, 8:] = np.eye(10)[data.test.targets]
    made = model.predict(noise)
    assert made.shape == data.test.inputs.shape
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, *GENERATORS[arm])
    if "test/energy_distance" in metrics:
        scale = data.examples.inputs.std()
        distance = energy_distance(*(torch.from_numpy(x / scale) for x in (made, data.test.inputs)))
        assert distance == pytest.approx(metrics["test/energy_distance"], rel=0.1)
