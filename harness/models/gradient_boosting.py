"""Boosted trees: the usual strong model of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form
from harness.lazy import torch
from harness.models.base import Fitted, SimpleModel, class_shares, features

if TYPE_CHECKING:
    from torch import Tensor


class GradientBoosting(SimpleModel):
    """Histogram-based gradient boosting of trees (Friedman 2001; Ke et al. 2017), by scikit-learn.

    All `iterations` are done, on the training split alone: nothing is held out of it. It draws
    nothing at random, so that only the division of the data differs between seeds.
    """

    name: Literal["gradient_boosting"]
    iterations: int = Field(100, ge=1, le=10_000, description="trees, of each class if over two")
    learning_rate: float = Field(0.1, gt=0, description="shrinkage of each tree")
    leaves: int = Field(31, ge=2, le=4096, description="of a tree at most")
    smallest_leaf: int = Field(20, ge=1, description="training examples that a leaf must hold")
    regularization: float = Field(0.0, ge=0, description="strength of the L2 penalty of leaves")

    usual: ClassVar[int] = 0

    def fit(self, inputs: Tensor, targets: Tensor, form: Form, season: int | None) -> Fitted:
        """See `SimpleModel`; each number that is predicted has trees of its own."""
        from sklearn import ensemble

        kind = "Classifier" if form.kind == "class" else "Regressor"
        settings = {
            "max_iter": self.iterations, "learning_rate": self.learning_rate,
            "max_leaf_nodes": self.leaves, "min_samples_leaf": self.smallest_leaf,
            "l2_regularization": self.regularization, "early_stopping": False, "random_state": 0,
        }  # fmt: skip
        rows = features(inputs, form)
        columns = [targets.numpy()] if form.kind == "class" else list(targets.numpy().T)
        make = getattr(ensemble, f"HistGradientBoosting{kind}")
        models = [make(**settings).fit(rows, column) for column in columns]

        def outputs(inputs: Tensor) -> Tensor:
            rows = features(inputs, form)
            if form.kind != "class":
                found = [torch.from_numpy(model.predict(rows)) for model in models]
                return torch.stack(found, dim=1)
            return class_shares(models[0], rows, form).clamp(min=1e-15).log()

        trees = sum(model.n_iter_ * model.n_trees_per_iteration_ for model in models)
        return Fitted(trees * (2 * self.leaves - 1), outputs)

    def seconds(self, examples: int, form: Form) -> float:
        """See `SimpleModel`."""
        trees = self.iterations * (form.outputs if form.outputs > 2 or form.kind != "class" else 1)
        return trees * (2e-3 + 10 * super().seconds(examples, form) / 100)
