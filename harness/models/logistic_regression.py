"""The simple baseline of classes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form
from harness.lazy import torch
from harness.models.base import Fitted, SimpleModel, features

if TYPE_CHECKING:
    from torch import Tensor


class LogisticRegression(SimpleModel):
    """Multinomial logistic regression by scikit-learn; texts as bags of words."""

    name: Literal["logistic_regression"]
    regularization: float = Field(1.0, gt=0, description="inverse strength of the L2 penalty")

    targets: ClassVar = ("class",)
    reads: ClassVar = ("numbers", "tokens")

    def fit(self, inputs: Tensor, targets: Tensor, form: Form, season: int | None) -> Fitted:
        """See `SimpleModel`."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression as Regression
        from sklearn.metrics import log_loss

        model = Regression(C=self.regularization, max_iter=200)
        with warnings.catch_warnings():
            # stopping at 200 iterations is this baseline's declared budget
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(features(inputs, form), targets.numpy())

        def measure(inputs: Tensor, targets: Tensor) -> dict[str, float]:
            rows, classes = features(inputs, form), targets.numpy()
            loss = log_loss(classes, model.predict_proba(rows), labels=model.classes_)
            return {"accuracy": float(model.score(rows, classes)), "loss": float(loss)}

        def outcomes(inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
            rows = features(inputs, form)
            likely = torch.from_numpy(model.predict_proba(rows)).double()
            seen = torch.from_numpy(model.classes_)
            said, own = torch.from_numpy(model.predict(rows)), targets[:, None] == seen
            smallest = torch.finfo(likely.dtype).eps  # as scikit-learn's loss has it
            chance = (likely * own).sum(dim=1).clamp(smallest, 1.0 - smallest)
            return {"accuracy": said == targets, "loss": -chance.log()}

        def outputs(inputs: Tensor) -> Tensor:
            return torch.from_numpy(model.predict_log_proba(features(inputs, form)))

        size = model.coef_.size + model.intercept_.size
        return Fitted(size, outputs, measure, outcomes)
