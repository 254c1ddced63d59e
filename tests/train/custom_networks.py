"""Networks as users write them."""

import torch
from torch import nn


def plain(shape, classes, width=8):
    """A network that declares nothing: it is trained alone."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(shape[0], width), nn.Dropout(0.2), nn.Linear(width, classes)
    )


class Declared(nn.Module):
    """A network that declares itself packable, with running statistics and a frozen parameter."""

    packable = True

    def __init__(self, inputs, classes, normalize):
        super().__init__()
        self.first = nn.Linear(inputs, 8)
        self.norm = nn.BatchNorm1d(8) if normalize else nn.LayerNorm(8)
        self.last = nn.Linear(8, classes)
        self.gain = nn.Parameter(torch.tensor(1.5), requires_grad=False)

    def forward(self, inputs):
        return self.last(torch.relu(self.norm(self.first(inputs))) * self.gain)


def declared(shape, classes, normalize=True):
    return Declared(shape[0], classes, normalize)


class Convolutional(nn.Module):
    packable = True

    def __init__(self, classes):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64, classes),
        )

    def forward(self, inputs):
        return self.layers(inputs)


def convolutional(shape, classes):
    assert shape == (1, 8, 8)
    return Convolutional(classes)


class Liar(nn.Module):
    """Declares itself packable and draws random numbers."""

    packable = True

    def __init__(self, inputs, classes):
        super().__init__()
        self.last = nn.Linear(inputs, classes)

    def forward(self, inputs):
        return self.last(nn.functional.dropout(inputs, 0.5, self.training))


def liar(shape, classes):
    return Liar(shape[0], classes)


def broken(shape, classes):
    raise RuntimeError("no such network today")


def looks_at_values(shape, classes):
    class Looking(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(shape[0], classes)

        def forward(self, inputs):
            return self.last(inputs if inputs.sum() > 0 else -inputs)

    return Looking()


class Positions(nn.Module):
    """Names a class at each position from the token there and, by way of a mean, from all."""

    packable = True

    def __init__(self, outputs, vocabulary):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 6)
        self.hidden = nn.Linear(6, 8)
        self.last = nn.Linear(8, outputs)

    def forward(self, inputs):
        states = torch.tanh(self.hidden(self.embedding(inputs)))
        return self.last(states + states.mean(dim=1, keepdim=True))


def positions(shape, outputs, vocabulary):
    assert len(shape) == 1
    return Positions(outputs, vocabulary)
