"""A network against gradient-boosted trees: each does its whole training itself."""

import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import nn


def trees(config, report):
    """Boost trees; an epoch is a tenth of them."""
    train, validation, test = (config["data"][part] for part in ("train", "validation", "test"))
    model = HistGradientBoostingClassifier(
        learning_rate=config["learning_rate"], max_leaf_nodes=8, warm_start=True, max_iter=1,
        random_state=config["seed"], early_stopping=False,
    )  # fmt: skip
    for epoch in range(config["epochs"]):
        model.set_params(max_iter=(epoch + 1) * config["trees"] // config["epochs"])
        model.fit(*train)
        found = {"validation.accuracy": model.score(*validation)}
        if test is not None:  # a search is never shown the test split
            found["test.accuracy"] = model.score(*test)
        report(found)


def network(config, report):
    """Train a small network."""
    named = {part: data for part, data in config["data"].items() if data is not None}
    data = {part: tuple(map(torch.from_numpy, pair)) for part, pair in named.items()}
    inputs, targets = data["train"]
    model = nn.Sequential(nn.Linear(inputs.shape[1], 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=config["learning_rate"])
    for _ in range(config["epochs"]):
        for part in torch.randperm(len(inputs)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs[part]), targets[part]).backward()
            optimizer.step()
        with torch.no_grad():
            report({
                f"{name}.accuracy": (model(x).argmax(1) == y).float().mean()
                for name, (x, y) in data.items()
            })  # fmt: skip


LEARNERS = {"trees": trees, "network": network}


def train(config, report):
    """Train the learner that the study names."""
    LEARNERS[config["learner"]](config, report)
