"""Networks by name: built-in ones, and the user's own function."""

from harness.models.build import build, hidden_units, packable, weight_layers

__all__ = ["build", "hidden_units", "packable", "weight_layers"]
