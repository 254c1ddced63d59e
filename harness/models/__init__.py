"""Networks by name: built-in ones, and the user's own function."""

from harness.models.build import (
    UNDECLARED,
    build,
    hidden_units,
    packable,
    unpackable_reason,
    weight_layers,
)

__all__ = [
    "UNDECLARED",
    "build",
    "hidden_units",
    "packable",
    "unpackable_reason",
    "weight_layers",
]
