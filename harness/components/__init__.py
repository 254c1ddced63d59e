"""What parts of a study have in common, and the settings of those that are no modules of a kind."""

from harness.components.base import Component
from harness.components.inside import InsideProbe
from harness.components.probes import (
    DeadUnits,
    EpochsToTarget,
    GradientNorms,
    MonteCarloDropout,
    SavedMemory,
    StepTime,
)
from harness.components.transfer import Transfer

KINDS: dict[str, dict[str, type[Component]]] = {}

__all__ = [
    "Component",
    "DeadUnits",
    "EpochsToTarget",
    "GradientNorms",
    "InsideProbe",
    "KINDS",
    "MonteCarloDropout",
    "SavedMemory",
    "StepTime",
    "Transfer",
]
