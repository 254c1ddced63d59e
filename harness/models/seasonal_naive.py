"""The simple baseline of forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.data_spec import Form
from harness.lazy import torch
from harness.models.base import Fitted, SimpleModel

if TYPE_CHECKING:
    from torch import Tensor


class SeasonalNaive(SimpleModel):
    """The forecast that everything will be as it was one season ago.

    Hyndman and Athanasopoulos, Forecasting: principles and practice, section 5.2.
    """

    name: Literal["seasonal_naive"]

    targets: ClassVar = ("numbers",)
    usual: ClassVar = 2

    def refusal(self, data: Any) -> str | None:
        """Say that only series have seasons."""
        if data.period is None:
            return super().refusal(data) or f"{self.name} forecasts a series"
        return super().refusal(data)
        """Say that only series have seasons."""
        return super().refusal(data) or (
            None if data.period is not None else f"{self.name} forecasts a series"
        )

    def fit(self, inputs: Tensor, targets: Tensor, form: Form, season: int | None) -> Fitted:
        """See `SimpleModel`."""
        if season is None:
            raise ValueError("seasonal_naive forecasts a series; these data are none")
        window = form.shape[0]
        if season > window:
            raise ValueError(f"a window of {window} steps holds no season of {season}")

        def outputs(inputs: Tensor) -> Tensor:
            last_season = inputs[:, window - season :, 0]
            return last_season[:, torch.arange(form.outputs) % season]

        return Fitted(0, outputs)
