"""The layers of EfficientNet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from harness.data_spec import Form
from harness.layers.blocks import ACTIVATIONS, HiddenLayer, image_norm, initialize, scale_weights
from harness.layers.dropout import Dropout
from harness.models.base import image_shape
from harness.models.efficientnet import FIRST, Stage

if TYPE_CHECKING:
    from harness.models.efficientnet import EfficientNet


class Excitation(nn.Module):
    """Each channel times a weight of 0 to 1, from the means of all (Hu et al. 2018)."""

    def __init__(self, channels: int, squeezed: int, activation: str):
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, channels, 1)
        self.activation = activation

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to the same shape."""
        means = inputs.mean(dim=(-2, -1), keepdim=True)
        hidden = ACTIVATIONS[self.activation](self.squeeze(means))
        return inputs * torch.sigmoid(self.excite(hidden))


class InvertedBottleneck(nn.Module):
    """A wider image, a convolution of each channel alone, excitation, and a narrow image again.

    From MobileNetV2 (Sandler et al. 2018). The block's inputs are added where shapes agree.
    """

    def __init__(self, inputs: int, stage: Stage, stride: int, activation: str):
        super().__init__()
        wide = inputs * stage.expansion
        layers: list[nn.Module] = []
        if stage.expansion > 1:
            layers.append(_layer(inputs, wide, activation))
        kernel = stage.kernel
        each = nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False)
        layers.append(HiddenLayer(each, activation, norm=image_norm("batch", wide, 1)))
        layers.append(Excitation(wide, max(1, inputs // 4), activation))
        layers.append(_layer(wide, stage.channels, "identity"))
        self.layers = nn.Sequential(*layers)
        self.shortcut = stride == 1 and inputs == stage.channels

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, inputs, height, width) to (batch, channels, height / stride, ...)."""
        outputs: Tensor = self.layers(inputs)
        return outputs + inputs if self.shortcut else outputs


def efficientnet(form: Form, settings: EfficientNet) -> nn.Sequential:
    """Build a first convolution, the stages, a last convolution, means, dropout, a linear layer.

    Raises:
        ValueError: if the inputs are no images (channels, height, width).
    """
    shape = image_shape(form, "an efficientnet")
    activation = settings.activation
    width = settings.channels(FIRST)
    stride = 1 if settings.images == "small" else 2
    first = nn.Conv2d(shape[0], width, 3, stride, 1, bias=False)
    body: list[nn.Module] = [HiddenLayer(first, activation, norm=image_norm("batch", width, 1))]
    for stage in settings.scaled():
        for block in range(stage.blocks):
            own = 1 if block else stage.stride
            body.append(InvertedBottleneck(width, stage, own, activation))
            width = stage.channels
    head = settings.channels(settings.head)
    body += [_layer(width, head, activation), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    body += [Dropout(settings.dropout)] if settings.dropout else []
    last = nn.Linear(head, form.outputs)
    network = nn.Sequential(*body, last)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            initialize(module, settings.initialization, activation)
    initialize(last, settings.initialization, "identity")
    scale_weights(network, settings.initialization_scale)
    return network


def _layer(inputs: int, outputs: int, activation: str) -> HiddenLayer:
    """Return a 1x1 convolution with its norm and activation."""
    convolution = nn.Conv2d(inputs, outputs, 1, bias=False)
    return HiddenLayer(convolution, activation, norm=image_norm("batch", outputs, 1))
