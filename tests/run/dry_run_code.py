"""Code as users write it, and get it wrong, in every way that one step of a network shows."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy, dropout


def network(shape, outputs, width=8, depth=1):
    size = shape[0] * shape[1] * shape[2]
    return nn.Sequential(nn.Flatten(), nn.Linear(size, width), nn.ReLU(), nn.Linear(width, outputs))


def needy(shape, outputs, width, depth):
    return network(shape, outputs, width)


def anything(shape, outputs, **settings):
    return network(shape, outputs, **settings)


def too_many_outputs(shape, outputs):
    return network(shape, outputs + 7)


def constructor(shape, outputs):
    widths = []
    return network(shape, outputs, width=widths[len(shape)])


def no_network(shape, outputs):
    return [1, 2]


def no_parameters(shape, outputs):
    return nn.Flatten()


def normalized(shape, outputs):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, outputs))


class Wrong(nn.Module):
    def __init__(self, shape, outputs, how):
        super().__init__()
        self.how, self.last = how, nn.Linear(64, outputs)

    def forward(self, inputs):
        outputs = self.last(inputs.flatten(1))
        if self.how == "shapes":
            return self.last(outputs)
        if self.how == "tuple":
            return outputs, None
        if self.how == "whole":
            return outputs.argmax(1, keepdim=True).expand(-1, outputs.shape[1])
        if self.how == "detached":
            return outputs.detach()
        if self.how == "training":
            raise RuntimeError("never in training") if self.training else None
        return outputs


class Slip(nn.Module):
    """Trains, and worse than it could."""

    def __init__(self, shape, outputs, how, stochastic=False):
        super().__init__()
        self.how, self.stochastic, self.last = how, stochastic, nn.Linear(64, outputs)

    def forward(self, inputs):
        outputs = self.last(inputs.flatten(1))
        if self.how == "dropout":
            return dropout(outputs, 0.5)
        if self.how == "dropout in training":
            return dropout(outputs, 0.5, training=self.training)
        return getattr(outputs, self.how)(*([-1] if "softmax" in self.how else []))


class Liar(nn.Module):
    packable = True

    def __init__(self, shape, outputs):
        super().__init__()
        self.last = nn.Linear(64, outputs)

    def forward(self, inputs):
        outputs = self.last(inputs.flatten(1))
        return outputs if outputs.sum() > 0 else -outputs


def vector_loss(outputs, targets):
    return cross_entropy(outputs, targets, reduction="none")


def sum_loss(outputs, targets):
    return cross_entropy(outputs, targets, reduction="sum")


def batch_mean_loss(outputs, targets):
    return cross_entropy(outputs, targets, reduction="sum") / len(targets)


def item_loss(outputs, targets):
    return torch.tensor(cross_entropy(outputs, targets).item())


def number_loss(outputs, targets):
    return 0.5


def constant_loss(outputs, targets):
    return torch.zeros((), requires_grad=True) * 2


def one_sided_loss(outputs):
    return outputs.mean()


def raising_loss(outputs, targets):
    return cross_entropy(outputs, targets.float())


def list_metric(outputs, targets):
    return [1.0, 2.0]


def raising_metric(outputs, targets):
    return {}["f1"]


def all_classes_metric(outputs, targets):
    """As scikit-learn's, which need every class among the targets, and probabilities for each."""
    assert len(outputs) == len(targets)
    assert targets.unique().numel() == 10, "a class is missing"
    return float((outputs.argmax(1) == targets).float().mean())


class Optimizer(torch.optim.SGD):
    def __init__(self, parameters, lr, momentum=0.0, breaks=False):
        super().__init__(parameters, lr=lr, momentum=momentum)
        self.breaks = breaks

    def step(self, closure=None):
        if self.breaks:
            raise ZeroDivisionError("in a step")
        super().step()


def training(config):
    raise AssertionError("never called")


def fine_training(config, report):
    raise AssertionError("never called before the first trial")
