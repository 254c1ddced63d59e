"""What parts of a study have in common, and the settings of those that are no modules of a kind."""

from harness.components.base import Component
from harness.components.transfer import Transfer

__all__ = ["Component", "Transfer"]
