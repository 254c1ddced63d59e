"""A network that was trained, saved as numbers and read again predicts as its record says."""

import json

import pytest
import torch

from harness.tasks import objective_for, total
from harness.train.engine import train_again
from harness.train.serving import ARRAYS, SETTINGS, Predictor, ServingError, save_network


@pytest.fixture
def saved(make_trial, blobs, tmp_path):
    record = train_again(make_trial(), blobs, threads=1)
    save_network(tmp_path / "network", record, blobs)
    return tmp_path / "network"


def test_predictions_have_the_recorded_metrics(of_each_kind, tmp_path):
    data, make = of_each_kind
    trial = make()
    record = train_again(trial, data, threads=1)
    save_network(tmp_path, record, data)
    predicted = torch.from_numpy(Predictor(tmp_path)(data.test.inputs))
    numbers = data.form.kind == "numbers"
    outputs = predicted if numbers else predicted.log()  # log-probabilities do for scores
    found = total(
        objective_for(trial.workload, data.form), outputs, torch.from_numpy(data.test.targets)
    )
    for name, value in found.items():
        assert value == pytest.approx(record.metrics[f"test.{name}"], rel=1e-4), name


def test_it_is_the_recorded_trial_bit_for_bit(make_trial, blobs, records_of):
    trial = make_trial()
    [record] = records_of([trial], blobs)
    assert record.weights is None
    again = train_again(trial, blobs, threads=1)
    assert again.deterministic_part() == record.deterministic_part()
    assert again.weights


def test_a_damaged_folder_is_refused(saved):
    (saved / ARRAYS).write_bytes((saved / ARRAYS).read_bytes()[:100])
    with pytest.raises(ServingError, match="holds no network"):
        Predictor(saved)


def test_weights_of_another_network_are_refused(saved):
    settings = json.loads((saved / SETTINGS).read_text())
    settings["model"]["width"] = 17
    (saved / SETTINGS).write_text(json.dumps(settings))
    with pytest.raises(ServingError, match="do not fit"):
        Predictor(saved)
