"""Soft targets: how much each class counts for an example, by mixing and by class weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from harness.data_spec import Form
from harness.tasks import Objective
from harness.train.augmentation import Augmented
from harness.train.device_data import DeviceData, Division


class SoftTargets:
    """Makes the soft targets of a pack's batches, member by member."""

    def __init__(self, classes: int, augmentation: Augmented | None, *, weighs: bool):
        """Prepare; `weigh` comes before the first batch where classes have weights.

        Args:
            classes: how many there are.
            augmentation: which may mix examples.
            weighs: whether classes count by the weights of each member's training part.
        """
        self._classes, self._augmentation, self._weighs = classes, augmentation, weighs
        self._weights: Tensor | None = None

    def weigh(self, divisions: Sequence[Division], data: DeviceData) -> None:
        """Take the class weights of the members, in the order of rows."""
        if self._weighs:
            targets = np.asarray(data.source.targets)
            weights = [balanced(targets[one.train], self._classes) for one in divisions]
            stacked = np.stack(weights)[:, None].astype(np.float32)
            self._weights = torch.from_numpy(stacked).to(data.device)

    def of(self, inputs: Tensor, targets: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """Return the inputs of a batch, mixed or not, and soft targets.

        Args:
            inputs: (members, batch, ...).
            targets: classes, (members, batch).
            start: place of the first example in the epoch's order.
        """
        soft = functional.one_hot(targets, self._classes).float()
        if self._augmentation is not None:
            inputs, soft = self._augmentation.mix(inputs, soft, start)
        return inputs, soft if self._weights is None else soft * self._weights


def soft_targets_of(
    objective: Objective | None, form: Form, augmentation: Augmented | None
) -> SoftTargets | None:
    """Return what makes targets soft, where examples are mixed or classes have weights."""
    weighs = objective is not None and objective.loss.weighs
    if not (weighs or (augmentation is not None and augmentation.mixes)):
        return None
    return SoftTargets(form.outputs, augmentation, weighs=weighs)


def balanced(targets: NDArray[np.integer], classes: int) -> NDArray[np.float64]:
    """Return each class's weight n/(k*n_c), so that the mean weight of an example is 1.

    As in King and Zeng 2001, Political Analysis: each class counts as much as any other. A class
    that has no example has the weight 0, and is not among the k.

    Args:
        targets: of the training part.
        classes: how many there are.
    """
    counts = np.bincount(targets, minlength=classes)
    present = counts > 0
    return np.where(present, len(targets) / (present.sum() * np.maximum(counts, 1)), 0.0)
