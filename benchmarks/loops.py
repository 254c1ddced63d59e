"""What the engine is measured against: the handbook's loop, and the best one written by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

Fresh = Callable[[], nn.Module]
Part = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Sets:
    """Training, validation and test examples, each transformed when it is asked for."""

    train: Dataset[Any]
    validation: Dataset[Any]
    test: Dataset[Any]


def handbook_loop(sets: Sets, fresh: Fresh, epochs: int, lr: float = 0.001) -> float:
    """Train as handbook 6.2 does: transforms one by one, DataLoader, plain loop.

    After each epoch the validation examples are evaluated, after the last the test examples.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = fresh().to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    train_loader = DataLoader(sets.train, batch_size=64, shuffle=True)
    validation = DataLoader(sets.validation, batch_size=1000)
    test = DataLoader(sets.test, batch_size=1000)
    accuracy = 0.0
    for epoch in range(epochs):
        model.train()
        total_loss = 0.0
        for batch_x, batch_y in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(batch_x.to(device)), batch_y.to(device))
            loss.backward()
            optimizer.step()
            total_loss += loss.item()
        model.eval()
        for loader in [validation] if epoch < epochs - 1 else [validation, test]:
            correct, count = 0, 0
            with torch.no_grad():
                for batch_x, batch_y in loader:
                    preds = model(batch_x.to(device)).argmax(dim=1)
                    correct += (preds == batch_y.to(device)).sum().item()
                    count += len(batch_y)
            accuracy = correct / count
    return accuracy


def loop_by_hand(examples: Part, test: Part, fresh: Fresh, epochs: int, lr: float = 0.001) -> float:
    """Train on resident, normalized tensors with a fused Adam, metrics fetched once an epoch.

    Does what the engine does: the last tenth validates after each epoch, the best weights are
    kept, and at the end loss and accuracy of all three parts are taken with them. Convolutions have
    their channels last; numbers too small to be computed with in time are zero.
    """
    torch.set_flush_denormal(True)
    inputs, targets = examples
    count = len(targets) // 10
    train = (inputs[:-count], targets[:-count])
    validation = (inputs[-count:], targets[-count:])
    model = fresh().to(inputs.device)
    if any(isinstance(layer, nn.Conv2d) for layer in model.modules()):
        model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True)
    best, state = -1.0, {}
    for _ in range(epochs):
        model.train()
        order = torch.randperm(len(train[1]), device=inputs.device)
        x, y = train[0].index_select(0, order), train[1].index_select(0, order)
        total = torch.zeros((), device=inputs.device)
        for batch_x, batch_y in zip(x.split(64), y.split(64), strict=True):
            loss = nn.functional.cross_entropy(model(batch_x), batch_y)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.detach()
        total.item()
        accuracy = _score(model, *validation)[1]
        if accuracy > best:
            best = accuracy
            state = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(state)
    return [_score(model, *part) for part in (train, validation, test)][-1][1]


@torch.no_grad()
def _score(model: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[float, float]:
    model.eval()
    loss = torch.zeros((), device=inputs.device)
    correct = torch.zeros((), dtype=torch.int64, device=inputs.device)
    size = 512 if inputs.device.type == "cpu" else 16_384
    for batch_x, batch_y in zip(inputs.split(size), targets.split(size), strict=True):
        outputs = model(batch_x)
        loss += nn.functional.cross_entropy(outputs, batch_y, reduction="sum")
        correct += (outputs.argmax(dim=1) == batch_y).sum()
    return loss.item() / len(targets), correct.item() / len(targets)
