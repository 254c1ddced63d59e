"""The simple baseline of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form
from harness.lazy import torch
from harness.models.base import Fitted, SimpleModel, features

if TYPE_CHECKING:
    from torch import Tensor


class Ridge(SimpleModel):
    """Linear regression with an L2 penalty by scikit-learn, for targets that are numbers."""

    name: Literal["ridge"]
    regularization: float = Field(1.0, gt=0, description="strength of the L2 penalty")

    targets: ClassVar = ("numbers",)
    reads: ClassVar = ("numbers", "tokens")

    def fit(self, inputs: Tensor, targets: Tensor, form: Form, season: int | None) -> Fitted:
        """See `SimpleModel`."""
        from sklearn.linear_model import Ridge as Regression

        model = Regression(alpha=self.regularization)
        model.fit(features(inputs, form), targets.numpy())

        def outputs(inputs: Tensor) -> Tensor:
            found = model.predict(features(inputs, form))
            return torch.from_numpy(found.reshape(len(inputs), -1))

        return Fitted(model.coef_.size + model.intercept_.size, outputs)
