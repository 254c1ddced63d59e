"""What a network takes over from an earlier training, and how carefully it is changed."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from harness.components.base import Component

Groups = Annotated[int, Field(ge=0)]


class Transfer(Component):
    """Initial weights from a pretraining stage, frozen layers and learning rates by layer.

    Layers are counted in groups, from the input to the output (Yosinski et al. 2014). The last
    group, the output layer, is never taken over. Gradual unfreezing and rates that fall from group
    to group are those of Howard and Ruder (2018).
    """

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    source: str | None = Field(
        None, alias="from", description="name of a pretraining stage; null: weights are drawn"
    )
    freeze: Groups | Literal["features"] = Field(
        0, description="first so many layer groups are kept as they are; features: all but the last"
    )
    unfreeze_every: int | None = Field(
        None, ge=1, description="epochs after which one more frozen group is trained, from the top"
    )
    rate_decay: float = Field(
        1.0, gt=0, le=1, description="a group's learning rate over that of the group above it"
    )

    @model_validator(mode="after")
    def _something_to_unfreeze(self) -> Self:
        if self.unfreeze_every is not None and self.freeze == 0:
            raise ValueError("`unfreeze_every` needs frozen groups: give `freeze`")
        return self
