"""Principal components: the linear code from which inputs are restored best."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.data_spec import Form
from harness.models._linear_code import check_code, linear, restoring
from harness.models.base import Fitted, SimpleModel

if TYPE_CHECKING:
    from torch import Tensor


class PCA(SimpleModel):
    """Principal component analysis by scikit-learn, for the task reconstruction.

    It takes as many components as `task.code` says. Of all linear codes of that size theirs has the
    smallest squared error on the training split (Eckart and Young 1936; Baldi and Hornik 1989).
    """

    name: Literal["pca"]

    targets: ClassVar = ("class", "numbers")
    reconstructs: ClassVar[bool] = True

    def fit(self, inputs: Tensor, targets: Tensor, form: Form, season: int | None) -> Fitted:
        """See `SimpleModel`; `form.outputs` is the number of components."""
        from sklearn import decomposition

        rows = inputs.flatten(1).double().numpy()
        check_code("pca", form.outputs, min(rows.shape), rows)
        model = decomposition.PCA(form.outputs, svd_solver="full").fit(rows)
        axes, mean = model.components_, model.mean_
        network = restoring(linear(axes, -axes @ mean), axes, mean)
        return Fitted(axes.size + mean.size, network=network)

    def seconds(self, examples: int, form: Form) -> float:
        """See `SimpleModel`."""
        numbers = math.prod(form.shape)
        return 1e-9 * examples * numbers * min(examples, numbers)
