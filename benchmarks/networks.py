"""The handbook's network as a user's own function, for the engine."""

import math

from torch import nn


class DigitClassifier(nn.Sequential):
    """Handbook 6.2 without its dropout: 784-512-256-10 with ReLU."""

    packable = True


def digit_classifier(shape: tuple[int, ...], classes: int) -> nn.Module:
    """Build the network with PyTorch's initial weights, as in the handbook."""
    inputs = math.prod(shape)
    return DigitClassifier(
        nn.Flatten(),
        nn.Linear(inputs, 512),
        nn.ReLU(),
        nn.Linear(512, 256),
        nn.ReLU(),
        nn.Linear(256, classes),
    )


def with_dropout(shape: tuple[int, ...], classes: int) -> nn.Module:
    """Build the network as the handbook has it, with dropout of 0.2 after the first layer."""
    network = digit_classifier(shape, classes)
    return nn.Sequential(*[*list(network)[:3], nn.Dropout(0.2), *list(network)[3:]])
