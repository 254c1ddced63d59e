"""Independent components: a linear code whose numbers depend on each other as little as can be."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.data_spec import Form
from harness.models._linear_code import check_code, linear, restoring
from harness.models.base import Fitted, SimpleModel

if TYPE_CHECKING:
    from torch import Tensor


class ICA(SimpleModel):
    """Independent component analysis by scikit-learn's FastICA, for the task reconstruction.

    It takes as many components as `task.code` says (Hyvärinen and Oja 2000). They span the same
    space as as many principal components, so that they restore inputs as well; the codes differ.
    """

    name: Literal["ica"]

    targets: ClassVar = ("class", "numbers")
    reconstructs: ClassVar[bool] = True

    def fit(self, inputs: Tensor, targets: Tensor, form: Form, season: int | None) -> Fitted:
        """See `SimpleModel`; `form.outputs` is the number of components."""
        from sklearn.decomposition import FastICA
        from sklearn.exceptions import ConvergenceWarning

        rows = inputs.flatten(1).double().numpy()
        check_code("ica", form.outputs, min(rows.shape), rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # 300 iterations are its budget
            model = FastICA(form.outputs, whiten="unit-variance", max_iter=300, random_state=0).fit(
                rows
            )
        axes, mean = model.components_, model.mean_
        network = restoring(linear(axes, -axes @ mean), model.mixing_.T, mean)
        return Fitted(2 * axes.size + mean.size, network=network)

    def seconds(self, examples: int, form: Form) -> float:
        """See `SimpleModel`."""
        numbers = math.prod(form.shape)
        return 1e-9 * examples * numbers * min(examples, numbers) + 1e-7 * examples * numbers
