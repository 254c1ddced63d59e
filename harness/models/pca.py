"""Principal components: the linear code from which inputs are restored best."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.data_spec import Form
from harness.lazy import torch
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
        from torch import nn

        from harness.layers.autoencoder import Autoencoder

        rows = inputs.flatten(1).double().numpy()
        most = min(rows.shape)
        if form.outputs > most:
            raise ValueError(
                f"pca has at most {most} components here: {rows.shape[0]} training examples of "
                f"{rows.shape[1]} numbers; `task.code` is {form.outputs}"
            )
        model = decomposition.PCA(form.outputs, svd_solver="full").fit(rows)
        encoder, decoder = (nn.Linear(rows.shape[1], form.outputs),
                            nn.Linear(form.outputs, rows.shape[1]))  # fmt: skip
        axes, mean = torch.from_numpy(model.components_), torch.from_numpy(model.mean_)
        with torch.no_grad():
            encoder.weight.copy_(axes)
            encoder.bias.copy_(-axes @ mean)
            decoder.weight.copy_(axes.T)
            decoder.bias.copy_(mean)
        network = Autoencoder(nn.Sequential(nn.Flatten(), encoder), decoder, form.outputs)
        return Fitted(model.components_.size + model.mean_.size, network=network)

    def seconds(self, examples: int, form: Form) -> float:
        """See `SimpleModel`."""
        numbers = math.prod(form.shape)
        return 1e-9 * examples * numbers * min(examples, numbers)
