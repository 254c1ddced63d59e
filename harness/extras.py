"""Optional packages: which extra of this package brings each, said where one is missing."""

from __future__ import annotations

import importlib.util

EXTRAS = {
    "torchvision": "vision",
    "skimage": "vision",
    "transformers": "hub",
    "datasets": "hub",
    "peft": "adapters",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "onnxscript": "onnx",
    "psycopg": "postgresql",
    "tensorboardX": "tensorboard",
    "wandb": "wandb",
}
"""The extra that brings a package that only some studies need."""


class ExtraMissingError(Exception):
    """Something needs a package that is not installed; the message says how to install it."""


def need(package: str, what: str) -> None:
    """Refuse to go on without an optional package.

    Args:
        package: its name, as it is imported.
        what: needs it, as the beginning of a sentence.

    Raises:
        ExtraMissingError: if it is not installed, naming the extra that brings it.
    """
    if importlib.util.find_spec(package) is None:
        raise ExtraMissingError(
            f"{what} needs the package {package}, which is not installed: pip install"
            f" 'harness[{EXTRAS[package]}]'"
        )
