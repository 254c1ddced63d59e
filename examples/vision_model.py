"""A vision model of one's own, in the style of timm: a factory, a stem, blocks and a head."""

import torch
from torch import nn


class SqueezeExcite(nn.Module):
    """Weigh channels by what the whole image says (Hu et al. 2018)."""

    def __init__(self, channels: int, reduction: int = 4):
        super().__init__()
        inner = max(channels // reduction, 4)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, inner, 1),
            nn.ReLU(),
            nn.Conv2d(inner, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return images of the same shape."""
        return x * self.gate(x)


class Block(nn.Module):
    """A depthwise and a pointwise convolution beside the identity."""

    def __init__(self, channels: int, *, excite: bool):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
            SqueezeExcite(channels) if excite else nn.Identity(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return images of the same shape."""
        return x + self.body(x)


class SmallNet(nn.Module):
    """Stem, blocks, pooled head; `forward_features` and `get_classifier` as timm has them."""

    def __init__(self, in_chans: int, num_classes: int, width: int, depth: int, *, excite: bool):
        super().__init__()
        self.stem = nn.Conv2d(in_chans, width, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(width, excite=excite) for _ in range(depth)))
        self.head = nn.Linear(width, num_classes)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Return features (batch, width)."""
        return self.blocks(self.stem(x)).mean(dim=(2, 3))

    def get_classifier(self) -> nn.Module:
        """Return the last layer."""
        return self.head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, classes)."""
        return self.head(self.forward_features(x))


def create_model(
    shape: tuple[int, ...], outputs: int, width: int = 12, depth: int = 2, excite: bool = True
) -> nn.Module:
    """Make the model; the first two arguments are what the harness knows of the data."""
    return SmallNet(shape[0], outputs, width, depth, excite=excite)
