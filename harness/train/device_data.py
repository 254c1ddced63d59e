"""Data that lives on the device: raw examples once, rows gathered and normalized in batches."""

from __future__ import annotations

import math
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.trial import Trial
from harness.workloads import Examples, Handling, TrialData, split, trained_on
from harness.workloads.settings import read_settings

KEPT_DATASETS = 2
KEPT_DIVISIONS = 256
DEVICE_SHARE = 0.5  # of a device's free memory; larger data stay with the host
CHUNK_BYTES = {"cpu": 4 << 20, "cuda": 256 << 20}  # gathered at once; the CPU's stays in its cache


@dataclass(frozen=True)
class Division:
    """Which examples one seed trains on and validates on, and how its inputs are normalized.

    `train` and `validation` hold indices; those of examples that are repeated, or leak, stand in
    `train` beside its own. An input becomes (input - mean) * scale. Mean and scale are one number
    for all values of an input, or one for each.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    mean: float | NDArray[np.float64]
    scale: float | NDArray[np.float64]


@dataclass(frozen=True)
class Split:
    """Examples on the device: normalized inputs (n, ...) and targets (n, ...)."""

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Splits:
    """The normalized splits of one seed. `test` is None in the search phase."""

    train: Split
    validation: Split
    test: Split | None


class Normalization:
    """Means and scales of several members, as tensors (members,), or (members, *input shape)."""

    def __init__(self, divisions: Sequence[Division], device: torch.device):
        means = np.stack([np.asarray(division.mean) for division in divisions])
        scales = np.stack([np.asarray(division.scale) for division in divisions])
        self.mean = torch.tensor(means, dtype=torch.float32, device=device)
        self.scale = torch.tensor(scales, dtype=torch.float32, device=device)

    def apply_(self, rows: Tensor, axis: int) -> Tensor:
        """Normalize rows in place; `axis` counts the members. Whole numbers stay as they are."""
        if not rows.is_floating_point():
            return rows
        own = self.mean.shape[1:]
        shape = [1] * (rows.ndim - len(own))
        shape[axis] = -1
        shape += own
        return rows.sub_(self.mean.view(shape)).mul_(self.scale.view(shape))

    def undone(self, rows: Tensor) -> Tensor:
        """Return rows (n, ...) of the one member as they were before they were normalized."""
        return rows / self.scale[0] + self.mean[0] if rows.is_floating_point() else rows


class DeviceData:
    """One set of examples as tensors on a device.

    On the CPU the arrays are used where they lie, read-only ones included: nothing here writes to
    them. Data too large for a GPU's memory stay with the host, and are streamed in chunks through
    pinned memory: the device trains on one chunk while the host gathers the next. Inputs of type
    uint8 are pixels: they become numbers 0 to 1 when they are gathered.
    """

    def __init__(self, examples: Examples, device: torch.device, handling: Handling | None = None):
        self.source = examples
        self.device = device
        self.handling = handling or Handling()
        size = examples.inputs.nbytes + examples.targets.nbytes
        self.streamed = size > DEVICE_SHARE * free_memory(device)
        home = torch.device("cpu") if self.streamed else device
        self.inputs = _tensor(examples.inputs).to(home)
        self.targets = _tensor(examples.targets).to(home)
        self._divisions: OrderedDict[tuple[float, int], Division] = OrderedDict()

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.inputs.shape[1:])

    @cached_property
    def row_bytes(self) -> int:
        """Memory of one input when it is gathered."""
        size = 4 if self.inputs.dtype == torch.uint8 else self.inputs.element_size()
        return max(1, math.prod(self.shape)) * size

    @cached_property
    def _sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Sums and sums of squares of each input, about the mean of all, and that mean."""
        rows = self.source.inputs.reshape(len(self), -1)
        unit = 255 if rows.dtype == np.uint8 else 1
        centre = float(rows.mean(dtype=np.float64)) / unit
        sums, squares = np.empty(len(self)), np.empty(len(self))
        for start in range(0, len(self), 4096):
            part = rows[start : start + 4096].astype(np.float64) / unit - centre
            sums[start : start + 4096] = part.sum(axis=1)
            squares[start : start + 4096] = np.square(part).sum(axis=1)
        return sums, squares, centre

    def division_of(self, trial: Trial) -> Division:
        """Return which examples a trial trains on and validates on; see `division`."""
        fraction = read_settings(trial.workload).data.validation_fraction
        return self.division(fraction, trial.seed_of("split"))

    def division(self, fraction: float, seed: int) -> Division:
        """Split by seed, and take mean and deviation from the training part."""
        key = (fraction, seed)
        if key not in self._divisions:
            real = len(self) - self.source.added
            train, validation = split(self.source.targets[:real], fraction, seed, self.handling)
            known = np.arange(real) if self.handling.statistics == "open" else train
            mean, scale = self._mean_and_scale(known)
            train = trained_on(self.source.targets, train, validation, seed, self.handling)
            if self.source.added:
                train = np.concatenate([train, np.arange(real, len(self))])
            self._divisions[key] = Division(train, validation, mean, scale)
            if len(self._divisions) > KEPT_DIVISIONS:
                self._divisions.popitem(last=False)
        self._divisions.move_to_end(key)
        return self._divisions[key]

    def _mean_and_scale(
        self, train: NDArray[np.int64]
    ) -> tuple[float | NDArray[np.float64], float | NDArray[np.float64]]:
        """Return what makes the training inputs have mean 0 and variance 1."""
        rule = self.handling.normalization
        numeric = self.inputs.is_floating_point() or self.inputs.dtype == torch.uint8
        if rule == "none" or not numeric:
            return 0.0, 1.0
        if rule == "feature":
            rows = self.source.inputs[train].astype(np.float64)
            deviation = rows.std(axis=0)
            return rows.mean(axis=0), 1 / np.where(deviation > 0, deviation, 1.0)
        sums, squares, centre = self._sums
        values = len(train) * max(1, math.prod(self.shape))
        offset = float(sums[train].sum()) / values
        variance = max(float(squares[train].sum()) / values - offset**2, 0.0)
        return centre + offset, 1 / (math.sqrt(variance) + 1e-8)

    def gather(
        self, index: Tensor, normalization: Normalization, axis: int
    ) -> tuple[Tensor, Tensor]:
        """Return normalized inputs (*index.shape, ...) and targets; `axis` counts the members."""
        flat = index.reshape(-1).to(self.inputs.device)
        inputs = self._rows(self.inputs, flat).view(*index.shape, *self.shape)
        if inputs.dtype == torch.uint8:
            inputs = inputs.float().div_(255)
        targets = self._rows(self.targets, flat).view(*index.shape, *self.targets.shape[1:])
        return normalization.apply_(inputs, axis), targets

    def _rows(self, values: Tensor, flat: Tensor) -> Tensor:
        if not self.streamed:
            return values.index_select(0, flat)
        # PyTorch's allocator keeps a pinned block until the copy from it has been made
        shape = (len(flat), *values.shape[1:])
        chosen = torch.empty(shape, dtype=values.dtype, pin_memory=self.device.type == "cuda")
        torch.index_select(values, 0, flat, out=chosen)
        return chosen.to(self.device, non_blocking=True)

    def batches(
        self, order: NDArray[np.int64], batch_size: int, normalization: Normalization
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield inputs (members, batch, ...) and targets (members, batch, ...) of one epoch.

        Args:
            order: of shape (members, n), what each member meets and when.
            batch_size: of all batches but the last.
            normalization: of the members.
        """
        index = torch.from_numpy(order).to(self.inputs.device)
        members, n = order.shape
        whole = n // batch_size
        limit = CHUNK_BYTES.get(self.device.type, CHUNK_BYTES["cpu"])
        chunk = max(1, limit // (members * batch_size * self.row_bytes))
        for start in range(0, whole, chunk):
            stop = min(whole, start + chunk)
            part = index[:, start * batch_size : stop * batch_size]
            steps = part.reshape(members, stop - start, batch_size).transpose(0, 1)
            inputs, targets = self.gather(steps, normalization, axis=1)
            yield from zip(inputs.unbind(), targets.unbind(), strict=True)
        if n % batch_size:
            yield self.gather(index[:, whole * batch_size :], normalization, axis=0)


def place_splits(trial: Trial, data: TrialData, device: torch.device) -> Splits:
    """Split by seed, normalize by the training part's mean and deviation, move to the device."""
    placed = DeviceData(data.examples, device, data.handling)
    test = None if data.test is None else DeviceData(data.test, device)
    return splits_of(placed, placed.division_of(trial), test)


def splits_of(data: DeviceData, division: Division, test: DeviceData | None) -> Splits:
    """Return one seed's splits as normalized tensors."""
    normalization = Normalization([division], data.device)

    def place(source: DeviceData, index: NDArray[np.int64]) -> Split:
        rows = torch.from_numpy(index)[None].to(source.device)
        inputs, targets = source.gather(rows, normalization, axis=0)
        return Split(inputs[0], targets[0])

    return Splits(
        place(data, division.train),
        place(data, division.validation),
        None if test is None else place(test, np.arange(len(test))),
    )


def free_memory(device: torch.device) -> float:
    """Return the free bytes of a device; without bound on a CPU, where data lie anyway."""
    return float(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else math.inf


_kept: list[DeviceData] = []


def on_device(
    examples: Examples, device: torch.device, handling: Handling | None = None
) -> DeviceData:
    """Return examples on the device, those of the last data sets without moving them again.

    Never for a test split: a worker holds that only while it may read it.
    """
    for index, known in enumerate(_kept):
        same = known.source.inputs is examples.inputs and known.source.targets is examples.targets
        same = same and known.handling == (handling or Handling())
        if same and known.device == device:
            _kept.append(_kept.pop(index))
            return known
    placed = DeviceData(examples, device, handling)
    _kept.append(placed)
    del _kept[:-KEPT_DATASETS]
    return placed


def _tensor(array: NDArray[Any]) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writ")
        return torch.from_numpy(np.ascontiguousarray(array))
