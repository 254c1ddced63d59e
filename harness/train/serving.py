"""A trained network as files that hold numbers and no code, and predictions from them.

A folder has `network.json` (how the network is built, the form of its inputs) and `network.npz`
(its weights and what normalizes the inputs). The network is built by this package, so that reading
a folder runs nothing that came with it; only a network of the user's own needs their module.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray

from harness.data_spec import Form
from harness.models import build
from harness.store.arrays import pack_arrays, unpack_arrays
from harness.train.device_data import DeviceData
from harness.trial import Record
from harness.workloads import TrialData
from harness.workloads.settings import read_settings

SETTINGS, ARRAYS = "network.json", "network.npz"
_WEIGHT = "weight:"
_BATCH = 512


class ServingError(Exception):
    """A folder holds no network that can be used."""


def save_network(folder: Path, record: Record, data: TrialData) -> None:
    """Write a trained network, with what normalizes its inputs, to a folder.

    Args:
        folder: gets the two files.
        record: with weights.
        data: that the trial was trained on.
    """
    assert record.weights is not None
    model = read_settings(record.trial.workload).model
    source = DeviceData(data.examples, torch.device("cpu"), data.handling)
    division = source.division_of(record.trial)
    settings = {"model": model.model_dump(mode="json"), "form": asdict(data.form)}
    arrays = {_WEIGHT + name: array for name, array in record.weights.items()}
    arrays |= {"mean": np.asarray(division.mean), "scale": np.asarray(division.scale)}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS).write_text(json.dumps(settings, indent=2))
    (folder / ARRAYS).write_bytes(pack_arrays(arrays))


class Predictor:
    """A network that was saved, ready to predict.

    Args:
        folder: that `save_network` wrote.

    Raises:
        ServingError: if the files are damaged, or do not fit the network that this version builds.
    """

    def __init__(self, folder: Path):
        try:
            settings = json.loads((folder / SETTINGS).read_text())
            arrays = unpack_arrays((folder / ARRAYS).read_bytes())
            form = settings["form"]
            self.form = Form(**{**form, "shape": tuple(form["shape"])})
            self._mean, self._scale = arrays.pop("mean"), arrays.pop("scale")
        except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise ServingError(f"'{folder}' holds no network: {error}") from None
        self._network = build(settings["model"], self.form, 0)
        weights = {n.removeprefix(_WEIGHT): torch.from_numpy(a) for n, a in arrays.items()}
        try:
            self._network.load_state_dict(weights)
        except RuntimeError as error:
            raise ServingError(
                f"the weights in '{folder}' do not fit the network that this version of the"
                f" package builds: {error}"
            ) from None
        self._network.eval()

    def __call__(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Predict.

        Args:
            inputs: (n, ...) as the data set has them: numbers, pixels 0 to 255 or token ids.

        Returns:
            Probabilities of the classes, (n, classes) or (n, steps, classes); or the predicted
            numbers, (n, numbers).
        """
        with torch.no_grad():
            parts = [self._predict(part) for part in torch.from_numpy(inputs).split(_BATCH)]
        return torch.cat(parts).numpy()

    def _predict(self, inputs: torch.Tensor) -> torch.Tensor:
        if inputs.dtype == torch.uint8:
            inputs = inputs.float().div(255)
        if inputs.is_floating_point():
            mean, scale = (
                torch.tensor(array, dtype=torch.float32) for array in (self._mean, self._scale)
            )
            inputs = (inputs - mean) * scale
        outputs: torch.Tensor = self._network(inputs)
        return outputs if self.form.kind == "numbers" else outputs.softmax(dim=-1)
