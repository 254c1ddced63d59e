"""What networks are built from, and what can be asked of any network's layers."""

from harness.layers.dropout import seed_dropout
from harness.layers.groups import hidden_units, last_hidden, layer_groups, set_mode, weight_layers

__all__ = [
    "hidden_units",
    "last_hidden",
    "layer_groups",
    "seed_dropout",
    "set_mode",
    "weight_layers",
]
