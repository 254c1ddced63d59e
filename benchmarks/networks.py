"""The handbook's networks as it prints them, and one of them as a user's own for the engine."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from harness.layers.dropout import Dropout


class DigitClassifier(nn.Sequential):
    """Handbook 6.2: 784-512-256-10 with ReLU and a dropout of 0.2."""

    packable = True


def digit_classifier(
    shape: tuple[int, ...], classes: int, dropout: type[nn.Module] = nn.Dropout
) -> nn.Module:
    """Build the network with PyTorch's initial weights, as in the handbook."""
    return DigitClassifier(
        nn.Flatten(),
        nn.Linear(math.prod(shape), 512),
        nn.ReLU(),
        dropout(0.2),
        nn.Linear(512, 256),
        nn.ReLU(),
        nn.Linear(256, classes),
    )


def with_own_dropout(shape: tuple[int, ...], classes: int) -> nn.Module:
    """Build the same with the harness's dropout, whose masks do not depend on a pack."""
    return digit_classifier(shape, classes, Dropout)


def cnn_classifier(shape: tuple[int, ...], classes: int) -> nn.Module:
    """Build the network of handbook 7.4, for images of 28 by 28."""
    channels = (shape[0], 32, 64, 128)
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
    dense = [nn.Flatten(), nn.Linear(128 * 3 * 3, 256), nn.ReLU(), nn.Dropout(0.5)]
    return nn.Sequential(*layers, *dense, nn.Linear(256, classes))


class TextClassifier(nn.Module):
    """Handbook 8.4: an embedding, two layers of LSTM, and a linear layer on the last state."""

    def __init__(self, vocabulary: int, embedding: int, hidden: int, outputs: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True, num_layers=2)
        self.fc = nn.Linear(hidden, outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (batch, steps) to (batch, outputs)."""
        _, (hidden, _) = self.lstm(self.embedding(tokens))
        scores: Tensor = self.fc(hidden[-1])
        return scores


class Sentences(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """Sentences that are cut, looked up and padded one by one, as the handbook's images are."""

    def __init__(self, sentences: list[list[str]], labels: list[int], known: dict[str, int]):
        self.sentences, self.labels, self.known = sentences, labels, known
        self.length = 40

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return the ids of a sentence, and its class."""
        ids = [self.known.get(word, 1) for word in self.sentences[index][: self.length]]
        return torch.tensor(ids + [0] * (self.length - len(ids))), self.labels[index]
