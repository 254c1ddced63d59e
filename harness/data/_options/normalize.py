"""Inputs as they are, on their own scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.data._options.base import Option, impossible
from harness.data_spec import Kind

if TYPE_CHECKING:
    from harness.data._dataset import Dataset
    from harness.data.base import Data

_NEVER = "changes nothing: these inputs are never normalized by the training part"


class Normalize(Option):
    """Leave the inputs on their own scales: `normalize: false`. Pixels of a byte become 0 to 1."""

    name: Literal["normalize"] = "normalize"
    on: bool = Field(
        True,
        description="false: inputs keep their own scales, instead of mean 0 and deviation 1 by the "
        "training part",
    )

    kinds: ClassVar[tuple[Kind, ...]] = ("class", "numbers")
    cases: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"name": "table", "source": "wine", "normalize": False},
    )

    def refusal(self, data: Data) -> str | None:
        """See `Option`."""
        if data.name != "none" and data.form.vocabulary is not None:
            return _NEVER
        leak = getattr(data, "leak", None)
        if leak is not None and leak.statistics:
            return "and `leak.statistics` exclude each other: nothing is normalized"
        return super().refusal(data)

    def apply(self, dataset: Dataset) -> Dataset:
        """See `Option`."""
        if dataset.handling.normalization == "none":
            raise impossible(f"`normalize: false` {_NEVER}; leave it out")
        return replace(dataset, handling=replace(dataset.handling, normalization="none"))
