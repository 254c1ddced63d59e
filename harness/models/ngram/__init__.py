"""The simple baseline of texts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form
from harness.lazy import torch
from harness.models.base import Fitted, SimpleModel

if TYPE_CHECKING:
    from torch import Tensor


class NGram(SimpleModel):
    """Counts of which character followed the last few, with Kneser-Ney smoothing."""

    name: Literal["ngram"]
    order: int = Field(5, ge=1, le=20, description="characters, of which the last is predicted")

    targets: ClassVar = ("sequence",)
    reads: ClassVar = ("tokens",)

    def refusal(self, data: Any) -> str | None:
        """It says which token follows: a class has to be a token."""
        said = super().refusal(data)
        if said is None and not data.guessed and data.form.outputs != data.form.vocabulary:
            return f"ngram predicts the next token, and the classes of {data.name} are no tokens"
        return said

    def fit(self, inputs: Tensor, targets: Tensor, form: Form, season: int | None) -> Fitted:
        """See `SimpleModel`."""
        import numpy as np

        from harness.models.ngram.counts import KneserNey

        assert form.vocabulary is not None
        model = KneserNey(self.order, form.vocabulary)
        model.fit(np.concatenate([inputs.numpy(), targets[:, -1:].numpy()], axis=1))

        def measure(inputs: Tensor, targets: Tensor) -> dict[str, float]:
            ids = targets.numpy()
            likelihood, best = model.scores(inputs.numpy(), ids)
            loss = -float(likelihood.mean())
            right = float((best == ids).mean())
            return {"loss": loss, "accuracy": right, "bits": loss / math.log(2)}

        def outcomes(inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
            ids = targets.numpy()
            likelihood, best = model.scores(inputs.numpy(), ids)
            loss = torch.from_numpy(-likelihood.mean(axis=1))
            right = torch.from_numpy((best == ids).mean(axis=1))
            return {"loss": loss, "accuracy": right, "bits": loss / math.log(2)}

        return Fitted(model.entries, measure=measure, outcomes=outcomes)
