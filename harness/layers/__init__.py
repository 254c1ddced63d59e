"""What networks are built from, and what can be asked of any network's layers."""

from harness.layers.dropout import seed_dropout
from harness.layers.groups import hidden_units, layer_groups, weight_layers

__all__ = ["hidden_units", "layer_groups", "seed_dropout", "weight_layers"]
