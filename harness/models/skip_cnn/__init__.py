"""A small convolutional network with one connection that skips a block."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from harness.data_spec import Form
from harness.models.base import Work
from harness.models.cnn import CNN


class SkipCNN(CNN):
    """The network `cnn` whose third block also reads what the first one gives.

    `skip: add` adds it to what the second block gives, with zeros in the channels that the first
    has not, as in He et al. (2016, option A), so that there are as many parameters as without.
    `concatenate` puts it beside that as further channels (Huang et al. 2017), which the third block
    has further weights for. `none` is `cnn` itself. Where blocks end with pooling, the skipping
    part is averaged to the same size.
    """

    name: Literal["skip_cnn"]  # type: ignore[assignment]
    skip: Literal["add", "concatenate", "none"] = Field(
        "add", description="how the first block's outputs reach the third"
    )

    @model_validator(mode="after")
    def _has_three(self) -> Self:
        if len(self.channels) < 3:
            raise ValueError("a connection that skips the second block needs three `channels`")
        if self.skip == "add" and self.channels[1] < self.channels[0]:
            raise ValueError(
                "the second of `channels` must not be below the first, which is added to it"
            )
        return self

    def build(self, form: Form) -> Any:
        """Build the blocks of a `cnn`, and lead round the second; raises as that."""
        plain = super().build(form)
        if self.skip == "none":
            return plain
        from harness.models.skip_cnn.network import skipping

        return skipping(plain, self)

    def work(self, form: Form) -> Work:
        """See `Network`."""
        found = super().work(form)
        if self.skip != "concatenate":
            return found
        smaller = 1 if self.pooling == "none" else 4  # height and width were halved twice
        pixels = (form.shape[-2] // smaller) * (form.shape[-1] // smaller)
        more = self.channels[0] * self.channels[2] * self.kernel**2 * pixels
        return Work(found.layers, found.products + more)
