"""A trained network as files that hold numbers and no code, and answers from them.

A folder has `network.json` (how the networks are built, the form of the data) and `network.npz`
(its weights and what normalizes the inputs). The network is built by this package, as the trial's
task builds it, so that reading a folder runs nothing that came with it; only a network or a task of
the user's own needs their module.
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
from harness.store.arrays import pack_arrays, unpack_arrays
from harness.tasks import Supervised, task_of
from harness.train.device_data import DeviceData
from harness.train.single_program import build_template, networks_of
from harness.train.stack import state_of
from harness.trial import Phase, Record, Trial
from harness.workloads import TrialData

SETTINGS, ARRAYS = "network.json", "network.npz"
_WEIGHT = "weight:"
_BATCH = 512
_NO_MATTER = {
    "data": {"name": "", "validation_fraction": 0.1}, "optimizer": "sgd", "epochs": 1,
}  # fmt: skip
"""In place of settings that build no network, and may name code that is not at hand."""


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
    source = DeviceData(data.examples, torch.device("cpu"), data.handling)
    division = source.division_of(record.trial)
    workload = record.trial.workload
    settings = {
        "model": workload["model"],
        "task": workload.get("task"),
        "form": asdict(data.form),
        "pixels": data.examples.inputs.dtype == np.uint8,
    }
    arrays = {_WEIGHT + name: array for name, array in record.weights.items()}
    arrays |= {"mean": np.asarray(division.mean), "scale": np.asarray(division.scale)}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS).write_text(json.dumps(settings, indent=2))
    (folder / ARRAYS).write_bytes(pack_arrays(arrays))


class Predictor:
    """The networks of a trial that were saved, ready to answer.

    Args:
        folder: that `save_network` wrote.

    Raises:
        ServingError: if the files are damaged, or do not fit the networks that this version builds.
    """

    def __init__(self, folder: Path):
        try:
            settings = json.loads((folder / SETTINGS).read_text())
            arrays = unpack_arrays((folder / ARRAYS).read_bytes())
            form = settings["form"]
            self.form = Form(**{**form, "shape": tuple(form["shape"])})
            workload = {"model": settings["model"], "task": settings.get("task"), **_NO_MATTER}
            self._pixels = settings.get("pixels", False)
            mean, scale = (
                torch.tensor(arrays.pop(name), dtype=torch.float32) for name in ("mean", "scale")
            )
        except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise ServingError(f"'{folder}' holds no network: {error}") from None
        self._mean, self._scale = mean, scale
        self._task: Any = task_of(workload, self.form.kind)
        trial = Trial(workload, 0, Phase.CONFIRMATION, "", "")
        template = build_template(self._task, trial, self.form)
        state = state_of(template)
        weights = {n.removeprefix(_WEIGHT): torch.from_numpy(a) for n, a in arrays.items()}
        if {n: t.shape for n, t in state.items()} != {n: t.shape for n, t in weights.items()}:
            raise ServingError(
                f"the weights in '{folder}' do not fit the network that this version of the"
                " package builds"
            )
        with torch.no_grad():
            for name, tensor in state.items():
                tensor.copy_(weights[name])
        template.requires_grad_(False).eval()
        self._network = self._task.served(networks_of(template, self._task)[self._task.main])

    @property
    def noise_shape(self) -> tuple[int, ...] | None:
        """Shape of the noise that a task makes examples of; None where inputs are of the data."""
        makes = hasattr(self._task, "noise_shape")
        return self._task.noise_shape(self.form) if makes else None

    def __call__(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Answer.

        Args:
            inputs: (n, ...) as the data set has them: numbers, pixels 0 to 255 or token ids; where
                the task makes examples of noise, standard normal numbers (n, *noise_shape).

        Returns:
            Of a supervised task the probabilities of the classes, (n, classes) or (n, steps,
            classes), or the predicted numbers, (n, numbers); of one that restores or makes examples
            these, (n, ...), as the data set has them, not rounded; of a task of the user's own what
            its main network says.
        """
        with torch.no_grad():
            parts = [self._answer(part) for part in torch.from_numpy(inputs).split(_BATCH)]
        return torch.cat(parts).numpy()

    def _answer(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.noise_shape is not None:
            return self._as_data(self._task.made_of(self._network, inputs.float(), self.form))
        if inputs.dtype == torch.uint8:
            inputs = inputs.float().div(255)
        if inputs.is_floating_point():
            inputs = (inputs - self._mean) * self._scale
        outputs: torch.Tensor = self._network(inputs)
        if isinstance(self._task, Supervised):
            return outputs if self.form.kind == "numbers" else outputs.softmax(dim=-1)
        of_data = "samples" in self._task.gives or getattr(self._task, "restores", False)
        return self._as_data(outputs) if of_data else outputs

    def _as_data(self, examples: torch.Tensor) -> torch.Tensor:
        found = examples.reshape(len(examples), *self.form.shape) / self._scale + self._mean
        return found * 255 if self._pixels else found
