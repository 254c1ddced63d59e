"""Small data and a way to make trials for all tests of the training engine."""

import sys
from pathlib import Path

import numpy as np
import pytest

from harness.data_spec import IGNORED, Form
from harness.train import pack_autotuning, train
from harness.trial import Phase, Record, Trial
from harness.workloads import Examples, Handling, TrialData, load

sys.path.insert(0, str(Path(__file__).parent))  # where the custom networks of the tests are

ADAM = {"name": "adam", "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "weight_decay": 0.0}
SGD = {"name": "sgd", "lr": 1e-2, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
MLP = {"name": "mlp", "depth": 2, "width": 16, "activation": "relu", "initialization": "auto"}


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    dataset = load({"name": "digits"}, tmp_path_factory.mktemp("data"))
    return dataset.for_phase(Phase.CONFIRMATION)


@pytest.fixture(scope="session")
def blobs():
    """Three noisy classes of 210 read-only examples, as they come from an object store."""
    generator = np.random.default_rng(0)
    targets = np.arange(210) % 3
    centres = generator.normal(size=(3, 12)) * 2
    inputs = (centres[targets] + generator.normal(size=(210, 12))).astype(np.float32)
    arrays = [inputs[:150], targets[:150], inputs[150:], targets[150:]]
    for array in arrays:
        array.flags.writeable = False
    return TrialData("tiny", Form((12,), 3), Examples(*arrays[:2]), Examples(*arrays[2:]))


@pytest.fixture(scope="session")
def make_trial():
    """Make a trial of three epochs; settings of model and optimizer replace the usual ones."""

    def make(seed=0, *, model=None, optimizer=None, probes=(), phase=Phase.CONFIRMATION, **more):
        base = {"adam": ADAM, "sgd": SGD}.get((optimizer or {}).get("name", "adam"), {})
        network = {**MLP, **(model or {})}
        if network["name"] != "mlp":
            network = dict(model)
        workload = {
            "data": {"name": "digits", "limit": None, "validation_fraction": 0.2},
            "model": network,
            "optimizer": {**base, **(optimizer or {})},
            "loss": "cross_entropy",
            "epochs": 3,
            "batch_size": 32,
            **more,
        }
        return Trial(workload, seed, phase, "fingerprint", "version", tuple(probes))

    return make


@pytest.fixture(scope="session")
def records_of():
    """Train and return the records by trial, in the order of the trials.

    Packs are as large as they may be: the choice by time is tested on its own.
    """

    def run(trials, data, **options):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(pack_autotuning, "AFFORDABLE", 0.0)
            patched.setattr(pack_autotuning, "UNMEASURED_BELOW", float("inf"))
            events = list(train(trials, data, **options))
        found = {event.trial_id: event for event in events if isinstance(event, Record)}
        assert len(found) == len(trials)
        return [found[trial.id] for trial in trials]

    return run


@pytest.fixture(scope="session")
def images():
    """Two classes of 180 small images: a bright column on the left or on the right."""
    generator = np.random.default_rng(1)
    targets = np.arange(180) % 2
    inputs = generator.random((180, 1, 6, 6)).astype(np.float32)
    inputs[targets == 0, 0, :, 1] += 1
    inputs[targets == 1, 0, :, 4] += 1
    parts = Examples(inputs[:120], targets[:120]), Examples(inputs[120:], targets[120:])
    return TrialData("images", Form((1, 6, 6), 2), *parts)


@pytest.fixture(scope="session")
def sequences():
    """Sequences of seven tokens; each position names the parity of its token, the first nothing."""
    generator = np.random.default_rng(2)
    inputs = generator.integers(0, 9, (160, 7))
    targets = inputs % 2
    targets[:, 0] = IGNORED
    parts = Examples(inputs[:110], targets[:110]), Examples(inputs[110:], targets[110:])
    form = Form((7,), 2, "sequence", vocabulary=9)
    return TrialData("sequences", form, *parts, Handling(division="random"))


@pytest.fixture(scope="session")
def numbers():
    """Two numbers for each input of three."""
    generator = np.random.default_rng(3)
    inputs = generator.normal(size=(160, 3)).astype(np.float32)
    targets = np.stack([inputs.sum(axis=1), np.sin(inputs[:, 0])], axis=1).astype(np.float32)
    parts = Examples(inputs[:110], targets[:110]), Examples(inputs[110:], targets[110:])
    form = Form((3,), 2, "numbers")
    return TrialData("numbers", form, *parts, Handling(division="random", normalization="feature"))


@pytest.fixture(params=["class", "sequence", "numbers"])
def of_each_kind(request, make_trial, blobs, sequences, numbers):
    """Data of one kind of target, and a way to make trials for them."""
    data = {"class": blobs, "sequence": sequences, "numbers": numbers}[request.param]
    positions = {"name": "custom_networks:positions", "settings": {}}

    def make(seed=0, *, model=None, **more):
        own = positions if request.param == "sequence" else model
        return make_trial(seed, model=own, loss="auto", **more)

    return data, make
