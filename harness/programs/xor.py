"""A program of a textbook that learns XOR: two inputs, four hidden units, one output, sigmoids.

The text prints the mean squared error at every two thousandth epoch. The program has no random
draw but its initial weights, whose seed is a part of it: the seed of the trial changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness.lazy import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

EVERY = 2000
"""Epochs between two losses that are printed."""
SEED = 42
HIDDEN = 4
RATE = 2.0


def train(config: Mapping[str, Any], report: Callable[..., None]) -> dict[str, float]:
    """Run the program; `epochs` counts the losses that it prints, so five are 8,001 updates.

    Each is reported as `validation.loss`. Returned are `test.loss_0`, `test.loss_2000` and so on,
    and the share of the four patterns that end on the right side of 0.5: `test.accuracy`.
    """
    patterns = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    answers = np.array([[0], [1], [1], [0]])
    found, said = {}, answers
    steps = losses(patterns, answers, int(config.get("program_seed", SEED)))
    for place in range(config["epochs"]):
        for _ in range(1 if place == 0 else EVERY):
            loss, said = next(steps)
        report({"validation.loss": loss})
        found[f"test.loss_{place * EVERY}"] = loss
    return {**found, "test.accuracy": float(((said > 0.5) == answers).mean())}


def losses(
    inputs: NDArray[Any], targets: NDArray[Any], seed: int
) -> Iterator[tuple[float, NDArray[np.float64]]]:
    """Yield the mean squared error and the outputs (n, 1) before each update, for ever.

    Gradients are those of half the summed squared error of the batch, as the text has them.

    Args:
        inputs: of shape (n, 2).
        targets: of shape (n, 1), 0 or 1.
        seed: of NumPy's older generator, which the program uses.
    """
    generator = np.random.RandomState(seed)
    hidden, hidden_bias = generator.randn(inputs.shape[1], HIDDEN), np.zeros((1, HIDDEN))
    last, last_bias = generator.randn(HIDDEN, 1), np.zeros((1, 1))
    while True:
        units = _sigmoid(inputs @ hidden + hidden_bias)
        outputs = _sigmoid(units @ last + last_bias)
        yield float(np.mean((outputs - targets) ** 2)), outputs
        at_output = (outputs - targets) * outputs * (1 - outputs)
        at_units = (at_output @ last.T) * units * (1 - units)
        last -= RATE * (units.T @ at_output)
        last_bias -= RATE * at_output.sum(axis=0, keepdims=True)
        hidden -= RATE * (inputs.T @ at_units)
        hidden_bias -= RATE * at_units.sum(axis=0, keepdims=True)


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-values)))
