"""The handbook's network as a user's own function, for the engine."""

import math

from torch import nn

from harness.models.dropout import Dropout


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
    """Build the network as the handbook has it, with PyTorch's dropout of 0.2."""
    return _insert(digit_classifier(shape, classes), nn.Dropout(0.2))


def with_own_dropout(shape: tuple[int, ...], classes: int) -> nn.Module:
    """Build the same with the harness's dropout, whose masks do not depend on a pack."""
    return _insert(digit_classifier(shape, classes), Dropout(0.2))


def _insert(network: nn.Module, layer: nn.Module) -> nn.Module:
    layers = list(network.children())
    return DigitClassifier(*layers[:3], layer, *layers[3:])
