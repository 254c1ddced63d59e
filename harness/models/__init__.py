"""Networks by name: built-in ones, and the user's own function."""

from harness.models.build import (
    UNDECLARED,
    build,
    hidden_units,
    packable,
    unpackable_reason,
    weight_layers,
)
from harness.models.dropout import seed_dropout
from harness.models.groups import layer_groups

__all__ = [
    "UNDECLARED",
    "build",
    "hidden_units",
    "layer_groups",
    "packable",
    "seed_dropout",
    "unpackable_reason",
    "weight_layers",
]
