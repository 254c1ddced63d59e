"""Sparse coding: each input as a sum of few atoms of a dictionary."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form
from harness.models._linear_code import check_code, restoring
from harness.models.base import Fitted, SimpleModel

if TYPE_CHECKING:
    from torch import Tensor


class SparseCoding(SimpleModel):
    """A dictionary of atoms and a sparse code, by scikit-learn, for the task reconstruction.

    Atoms, as many as `task.code` says, are learned in small batches so that half the squared error
    plus `penalty` times the code's absolute values is small (Olshausen and Field 1996; Mairal et
    al. 2010); they may be more than the numbers of an input. The code of an input is what minimizes
    that sum.
    """

    name: Literal["sparse_coding"]
    penalty: float = Field(1.0, gt=0, description="of the absolute values of a code")

    targets: ClassVar = ("class", "numbers")
    reconstructs: ClassVar[bool] = True

    def fit(self, inputs: Tensor, targets: Tensor, form: Form, season: int | None) -> Fitted:
        """See `SimpleModel`; `form.outputs` is the number of atoms."""
        from sklearn.decomposition import MiniBatchDictionaryLearning
        from sklearn.exceptions import ConvergenceWarning

        from harness.layers.codes import SparseCode

        rows = inputs.flatten(1).double().numpy()
        check_code("sparse_coding", form.outputs, len(rows), rows)
        mean = rows.mean(axis=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = MiniBatchDictionaryLearning(
                form.outputs, alpha=self.penalty, batch_size=256, max_iter=20,
                fit_algorithm="cd", random_state=0,
            ).fit(rows - mean)  # fmt: skip
        atoms = model.components_
        network = restoring(SparseCode(atoms, mean, self.penalty), atoms, mean)
        return Fitted(atoms.size + mean.size, network=network)

    def seconds(self, examples: int, form: Form) -> float:
        """See `SimpleModel`."""
        return 1e-7 * examples * math.prod(form.shape) * form.outputs
