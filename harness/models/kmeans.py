"""Centres of clusters: a code that says which of them an input is nearest to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.data_spec import Form
from harness.lazy import numpy
from harness.models._linear_code import check_code, restoring
from harness.models.base import Fitted, SimpleModel

if TYPE_CHECKING:
    from torch import Tensor


class KMeans(SimpleModel):
    """k-means by scikit-learn, for the task reconstruction: vector quantization.

    It finds as many centres as `task.code` says (Lloyd 1982). The code of an input is 1 for the
    nearest one and 0 for all others, and what is restored is that centre.
    """

    name: Literal["kmeans"]

    targets: ClassVar = ("class", "numbers")
    reconstructs: ClassVar[bool] = True

    def fit(self, inputs: Tensor, targets: Tensor, form: Form, season: int | None) -> Fitted:
        """See `SimpleModel`; `form.outputs` is the number of centres."""
        from sklearn import cluster

        from harness.layers.codes import NearestCentre

        rows = inputs.flatten(1).double().numpy()
        check_code("kmeans", form.outputs, len(rows), rows)
        model = cluster.KMeans(form.outputs, n_init=3, random_state=0).fit(rows)
        centres = model.cluster_centers_
        network = restoring(NearestCentre(centres), centres, numpy.zeros(centres.shape[1]))
        return Fitted(centres.size, network=network)

    def seconds(self, examples: int, form: Form) -> float:
        """See `SimpleModel`."""
        return 1e-8 * examples * math.prod(form.shape) * form.outputs
