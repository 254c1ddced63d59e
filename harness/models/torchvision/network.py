"""A network around one of torchvision."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.error import URLError

from torch import Tensor, nn

from harness.data_spec import Form
from harness.layers.blocks import initialize
from harness.layers.dropout import OwnDraws
from harness.pretrained import WeightsMissingError

if TYPE_CHECKING:
    from harness.models.torchvision import Torchvision

_WITH_HELPERS = ("googlenet", "inception_v3")  # further outputs in training, which nothing reads


class Vision(OwnDraws):
    """A classifier of torchvision with a new last layer."""

    def __init__(self, network: nn.Module, repeats: int):
        super().__init__()
        self.network = network
        self.repeats = repeats

    def forward(self, inputs: Tensor) -> Tensor:
        """Map images (batch, channels, height, width) to (batch, outputs)."""
        if self.repeats > 1:
            inputs = inputs.expand(-1, self.repeats, -1, -1)
        with self.drawing():
            outputs: Tensor = self.network(inputs)
        return outputs


def vision(form: Form, settings: Torchvision) -> Vision:
    """Build a network of torchvision; its last layer is drawn anew for these outputs.

    Raises:
        ValueError: if the inputs are no images (channels, height, width) of 1 or 3 channels, or the
            architecture has no such weights.
        WeightsMissingError: if the weights cannot be downloaded.
    """
    import torchvision

    shape, architecture, weights = form.shape, settings.architecture, settings.weights
    arguments = settings.settings
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(
            "a network of torchvision reads images (channels, height, width) with 1 or 3 channels; "
            f"these inputs are {shape}"
        )
    if architecture in _WITH_HELPERS:
        extra = {"aux_logits": False} | ({} if weights else {"init_weights": True})
        arguments = extra | arguments
    if weights is not None:
        known = [str(w.name) for w in torchvision.models.get_model_weights(architecture)]
        if weights not in ("DEFAULT", *known):
            raise ValueError(f"{architecture} has the weights {', '.join(known)}, not '{weights}'")
    try:
        with _nothing_run():
            network = torchvision.models.get_model(architecture, weights=weights, **arguments)
    except (URLError, OSError) as error:
        raise WeightsMissingError(
            f"the weights {weights} of {architecture} are not in the local cache of torchvision "
            f"and could not be downloaded ({error}); fetch them once with a network, or set "
            "`weights: null`"
        ) from error
    _replace_last(network, form.outputs)
    return Vision(network, 3 // shape[0])


@contextmanager
def _nothing_run() -> Iterator[None]:
    """Let PyTorch read downloaded files as weights only; torchvision asks for any objects."""
    switch = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    usual = os.environ.get(switch)
    os.environ[switch] = "1"
    try:
        yield
    finally:
        if usual is None:
            del os.environ[switch]
        else:
            os.environ[switch] = usual


def _replace_last(network: nn.Module, outputs: int) -> None:
    """Put a new layer in the place of the last linear one, or of the last convolution."""
    named = list(network.named_modules())
    linear = [(name, module) for name, module in named if isinstance(module, nn.Linear)]
    convolutions = [(name, module) for name, module in named if isinstance(module, nn.Conv2d)]
    name, old = linear[-1] if linear else convolutions[-1]
    new: nn.Linear | nn.Conv2d
    if isinstance(old, nn.Linear):
        new = nn.Linear(old.in_features, outputs)
    else:
        new = nn.Conv2d(old.in_channels, outputs, 1)
    initialize(new, "auto", "identity")
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, new)
