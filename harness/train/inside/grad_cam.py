"""Where a convolutional network looks when it decides (Selvaraju et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import softmax

from harness.exhibit import as_details
from harness.layers.blocks import HiddenLayer
from harness.models.resnet.network import ResidualBlock
from harness.train.inside.examples import as_array, at_rest, is_shown, outputs_of, test_split
from harness.train.loop import Fitted

LARGEST_SIDE = 32


def probe_grad_cam(fitted: Fitted, probe: Mapping[str, Any]) -> None:
    """Give test images that were taken rightly and wrongly, with the map of each.

    Nothing is given of a network without a convolution.
    """
    network = at_rest(fitted.network)
    layer = last_convolution(network)
    if layer is None or not is_shown(fitted, probe):
        return
    test = test_split(fitted, probe)
    surety, predicted = softmax(outputs_of(network, test.inputs), dim=-1).max(dim=-1)
    index = chosen(predicted, test.targets, surety, probe["examples"])
    maps = grad_cam(network, layer, test.inputs[index], predicted[index])
    assert fitted.material.test is not None
    parts = {
        "images": pixels(fitted.material.test.source.inputs[as_array(index)]),
        "maps": as_array((255 * maps).round().byte()),
        "classes": as_array(test.targets[index]),
        "predicted": as_array(predicted[index]),
        "surety": as_array(surety[index]).astype(np.float64).round(3),
    }
    fitted.outcome.details |= as_details(probe["name"], parts)


def last_convolution(network: nn.Module) -> nn.Module | None:
    """Return the module whose output is the last one made of places; None if there is none.

    Of the built-in networks it is taken after norm, activation and shortcut.
    """
    modules = list(network.modules())
    blocks = [m for m in modules if isinstance(m, ResidualBlock)]
    hidden = [m for m in modules if isinstance(m, HiddenLayer) and isinstance(m.linear, nn.Conv2d)]
    plain = [m for m in modules if isinstance(m, nn.Conv2d)]
    found: list[nn.Module] = [*plain[-1:], *hidden[-1:], *blocks[-1:]]
    return found[-1] if found else None


def grad_cam(network: nn.Module, layer: nn.Module, inputs: Tensor, classes: Tensor) -> Tensor:
    """Return where each input speaks for a class, (n, height, width) of the layer's output, 0 to 1.

    The layer's channels are weighted by the mean gradient of the class's score over all places;
    what speaks against the class is left out; the largest value of each map becomes 1.

    Args:
        network: in evaluation, whose examples do not depend on each other.
        layer: inside it, with an output (n, channels, height, width).
        inputs: of shape (n, ...).
        classes: whose score is explained, (n,).
    """
    seen: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        seen.append(output.detach().requires_grad_())
        return seen[0].clone()  # what follows may write in place

    handle = layer.register_forward_hook(keep)
    with torch.enable_grad():
        scores = network(inputs).gather(1, classes[:, None])
        (gradients,) = torch.autograd.grad(scores.sum(), seen)
    handle.remove()
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    maps = (weights * seen[0].detach()).sum(dim=1).relu()
    return maps / maps.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)


def chosen(predicted: Tensor, targets: Tensor, surety: Tensor, count: int) -> Tensor:
    """Return the indices of right examples, then of wrong ones, at most `count` of each.

    Right: the first of each class in turn. Wrong: those that the network was surest of.
    """
    right = torch.nonzero(predicted == targets)[:, 0].tolist()
    turns: dict[int, int] = {}
    ranked = []
    for index in right:  # the first of every class, then the second of every class, ...
        label = int(targets[index])
        turns[label] = turns.get(label, 0) + 1
        ranked.append((turns[label], label, index))
    wrong = torch.nonzero(predicted != targets)[:, 0]
    wrong = wrong[surety[wrong].argsort(descending=True, stable=True)]
    rights = [index for *_, index in sorted(ranked)[:count]]
    return torch.tensor([*rights, *wrong[:count].tolist()], device=targets.device)


def pixels(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Return images (n, channels, height, width), pixels 0 to 1 or 0 to 255, as bytes.

    Of images beyond 32 pixels a side, every second pixel is kept, or every third, ...
    """
    step = -(-max(images.shape[-2:]) // LARGEST_SIDE)
    small = images[..., ::step, ::step]
    if small.dtype == np.uint8:
        return small
    scaled: NDArray[np.uint8] = np.clip(255 * small, 0, 255).round().astype(np.uint8)
    return scaled
