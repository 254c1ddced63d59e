"""Networks of torchvision, by name."""

from __future__ import annotations

import importlib.util
import math
import re
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from harness.data_spec import Form
from harness.errors import nearest
from harness.models.base import ELSEWHERE, Network, Work

if TYPE_CHECKING:
    from torch import nn


class Torchvision(Network):
    """Any classifier of torchvision by name, drawn anew or pretrained, with a new last layer.

    Grey images are repeated to three channels.
    """

    name: Literal["torchvision"]
    architecture: str = Field(description="such as resnet18")
    weights: str | None = Field(
        None, description="pretrained, such as DEFAULT or IMAGENET1K_V1; null: drawn anew"
    )
    settings: dict[str, Any] = Field(
        default_factory=dict, description="passed to torchvision's function"
    )

    library: ClassVar = "torchvision"

    @field_validator("architecture")
    @classmethod
    def _exists(cls, architecture: str) -> str:
        known = torchvision_architectures()
        if known and architecture not in known:
            raise ValueError(
                f"torchvision has no classifier '{architecture}'{nearest(architecture, known)}"
            )
        return architecture

    def build(self, form: Form) -> nn.Module:
        """See `network.vision`."""
        from harness.models.torchvision.network import vision

        return vision(form, self)

    def work(self, form: Form) -> Work:
        """As resnet18, whose products are 1.8e9 for an image of side 224."""
        return Work(100, 1.8e9 * math.prod(form.shape[1:]) / 224**2)

    def unpackable(self, network: nn.Module) -> str:
        """See `Network`."""
        return ELSEWHERE

    def outside(self) -> str | None:
        """Return the version of torchvision, which says which weights are its default."""
        return None if self.weights is None else f"torchvision {version('torchvision')}"


@cache
def torchvision_architectures() -> frozenset[str]:
    """Return the names of torchvision's classifiers, read from its source.

    Importing it takes seconds, and a study file is checked in an editor's time. Empty where it is
    not installed.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return frozenset()
    registered = re.compile(r"^@register_model\((?:name=\"(\w+)\")?\)\n(?:@.*\n)*def (\w+)", re.M)
    files = (Path(spec.origin).parent / "models").glob("*.py")
    found = [registered.findall(file.read_text(encoding="utf-8")) for file in files]
    return frozenset(name or function for pairs in found for name, function in pairs)
