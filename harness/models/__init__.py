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
from harness.models.groups import layer_groups, set_mode

__all__ = [
    "UNDECLARED",
    "build",
    "hidden_units",
    "layer_groups",
    "packable",
    "seed_dropout",
    "set_mode",
    "unpackable_reason",
    "weight_layers",
]
