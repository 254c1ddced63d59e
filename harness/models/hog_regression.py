"""Logistic regression on histograms of oriented gradients: features that were made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form
from harness.lazy import numpy, torch
from harness.models.base import Fitted, image_shape
from harness.models.logistic_regression import LogisticRegression

if TYPE_CHECKING:
    from torch import Tensor


class HogRegression(LogisticRegression):
    """Logistic regression on histograms of oriented gradients (Dalal and Triggs 2005), for images.

    By scikit-image: in each cell a histogram of the directions of gradients, weighted by their
    size; neighbouring cells are normalized together in blocks. Tune `regularization` as the rival's
    settings.
    """

    name: Literal["hog_regression"]  # type: ignore[assignment]
    cell: int = Field(4, ge=2, description="side of a cell in pixels")
    block: int = Field(2, ge=1, description="side of a block in cells")
    orientations: int = Field(9, ge=2, le=36, description="directions that are told apart")

    usual: ClassVar[int] = -1
    reads: ClassVar = ("numbers",)  # type: ignore[assignment]
    library: ClassVar[str | None] = "skimage"

    def refusal(self, data: Any) -> str | None:
        """It is for images, of which a block fits into each."""
        if (said := super().refusal(data)) is not None:
            return said
        if not data.images:
            return f"hog_regression looks at images; {data.name} has none"
        if data.guessed:  # its form is only known once it was read
            return None
        shape = data.form.shape
        if len(shape) != 3:
            return f"hog_regression looks at images; {data.name} has none"
        side = min(shape[1:])
        if side < self.cell * self.block:
            return f"a block of {self.cell * self.block} pixels does not fit into images of {side}"
        return None

    def fit(self, inputs: Tensor, targets: Tensor, form: Form, season: int | None) -> Fitted:
        """See `SimpleModel`."""
        image_shape(form, "hog_regression")
        rows = self.histograms(inputs)
        found = super().fit(rows, targets, Form(tuple(rows.shape[1:]), form.outputs), season)
        measure, outcomes, outputs = found.measure, found.outcomes, found.outputs
        assert measure is not None
        assert outcomes is not None
        assert outputs is not None

        def of_images(function: Callable[..., Any]) -> Callable[..., Any]:
            return lambda inputs, *others: function(self.histograms(inputs), *others)

        return Fitted(found.parameters, of_images(outputs), of_images(measure), of_images(outcomes))

    def histograms(self, images: Tensor) -> Tensor:
        """Return the features (n, numbers) of images (n, channels, height, width).

        Of several channels each pixel takes the one with the largest gradient.
        """
        from skimage.feature import hog

        rows = [
            hog(
                image.permute(1, 2, 0).double().numpy(),
                orientations=self.orientations,
                pixels_per_cell=(self.cell, self.cell),
                cells_per_block=(self.block, self.block),
                channel_axis=-1,
            )
            for image in images
        ]
        return torch.from_numpy(numpy.array(rows)).float()

    def seconds(self, examples: int, form: Form) -> float:
        """See `SimpleModel`."""
        return 1e-3 * examples + super().seconds(examples, form)
