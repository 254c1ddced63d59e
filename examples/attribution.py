"""Which pixels a network decided by: ways to say so, judged by deleting these pixels.

Petsiuk et al. 2018, RISE, for deletion and insertion; Sundararajan et al. 2017 for integrated
gradients.
"""

import torch
from torch import nn

STEPS = 16  # of deletion and of integration


def gradient(model, inputs, classes):
    """Return the slopes of the logits of classes (n,) at inputs (n, pixels)."""
    inputs = inputs.detach().requires_grad_()
    logits = model(inputs).gather(1, classes[:, None]).sum()
    return torch.autograd.grad(logits, inputs)[0]


def integrated(model, inputs, classes):
    """Return integrated gradients on the way from the mean picture, which is all zeros."""
    ways = [gradient(model, inputs * (k + 0.5) / STEPS, classes) for k in range(STEPS)]
    return inputs * torch.stack(ways).mean(dim=0)


METHODS = {
    "random": lambda model, inputs, classes: torch.rand_like(inputs),
    "gradient": lambda model, inputs, classes: gradient(model, inputs, classes).abs(),
    "integrated": integrated,
}


def area(model, inputs, classes, marks, *, insert=False):
    """Return the mean probability of classes while pixels go (or come), most marked ones first."""
    order = marks.argsort(dim=1, descending=True).argsort(dim=1)  # each pixel's rank
    shares = []
    for step in range(STEPS + 1):
        touched = order < step * inputs.shape[1] / STEPS
        seen = torch.where(touched != insert, torch.zeros_like(inputs), inputs)
        chances = model(seen).softmax(dim=1).gather(1, classes[:, None])
        shares.append(float(chances.detach().mean()))
    return sum(shares) / len(shares)


def train(config, report):
    """Train a small network on digits; at the end ask the method about the test pictures."""
    data = {
        part: (torch.from_numpy(pair[0]).flatten(1), torch.from_numpy(pair[1]))
        for part, pair in config["data"].items()
        if pair is not None
    }
    inputs, targets = data["train"]
    model = nn.Sequential(nn.Linear(inputs.shape[1], 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(config["epochs"]):
        for part in torch.randperm(len(inputs)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs[part]), targets[part]).backward()
            optimizer.step()
        found = {}
        for name in ("validation", "test"):
            if name in data:
                pictures, classes = data[name]
                said = model(pictures).argmax(dim=1)
                found[f"{name}.accuracy"] = (said == classes).float().mean()
                if name == "test" and epoch + 1 == config["epochs"]:
                    marks = METHODS[config["method"]](model, pictures, said)
                    found["test.deletion"] = area(model, pictures, said, marks)
                    found["test.insertion"] = area(model, pictures, said, marks, insert=True)
        report(found)
