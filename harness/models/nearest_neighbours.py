"""The class, or the mean, of the nearest training examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form
from harness.lazy import torch
from harness.models.base import Fitted, SimpleModel, class_shares, features

if TYPE_CHECKING:
    from torch import Tensor


class NearestNeighbours(SimpleModel):
    """Nearest neighbours by Euclidean distance (Cover and Hart 1967), by scikit-learn.

    Shares of classes are smoothed, (count + 1/2) / (k + classes/2), so that none is zero: the
    answers stay the same, and the cross entropy is finite.
    """

    name: Literal["nearest_neighbours"]
    neighbours: int = Field(5, ge=1, description="at most; of fewer training examples, all")
    weights: Literal["uniform", "distance"] = Field(
        "uniform", description="uniform: each counts alike; distance: by the inverse distance"
    )

    reads: ClassVar = ("numbers", "tokens")
    usual: ClassVar[int] = 0

    def fit(self, inputs: Tensor, targets: Tensor, form: Form, season: int | None) -> Fitted:
        """See `SimpleModel`."""
        from sklearn import neighbors

        k = min(self.neighbours, len(inputs))
        kind = "Classifier" if form.kind == "class" else "Regressor"
        model = getattr(neighbors, f"KNeighbors{kind}")(n_neighbors=k, weights=self.weights)
        model.fit(features(inputs, form), targets.numpy())

        def outputs(inputs: Tensor) -> Tensor:
            rows = features(inputs, form)
            if form.kind != "class":
                return torch.from_numpy(model.predict(rows).reshape(len(inputs), -1))
            shares = class_shares(model, rows, form)
            return ((k * shares + 0.5) / (k + form.outputs / 2)).log()

        return Fitted(inputs.numel() + targets.numel(), outputs)

    def seconds(self, examples: int, form: Form) -> float:
        """See `SimpleModel`."""
        return 1e-9 * examples**2 * 10 + super().seconds(examples, form)
