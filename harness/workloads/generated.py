"""Data that are generated: sequences to be remembered, the adding problem, functions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from harness.form import Form
from harness.workloads.dataset import Dataset, Examples, Handling
from harness.workloads.source import LOCKED_SEED, Config, DataSummary, Source, no_files

Numbers = NDArray[np.float64]

ASK = 1  # the token at the end that asks for the symbol; 0 is padding
_LINE, _SIDE = 1001, 51  # test points on a line, and on each side of a square


def _recall_form(config: Config) -> Form:
    vocabulary = 2 + config["symbols"] + (config["distractors"] or 0)
    return Form((config["lag"] + 2,), config["symbols"], "class", vocabulary)


def _load_recall(config: Config, _root: object) -> Dataset:
    """Draw different sequences; those of the test split are none of the others."""
    generator = np.random.default_rng(LOCKED_SEED)
    symbols, counts = config["symbols"], (config["examples"], config["test"])
    distractors = config["distractors"]
    first = 2 if distractors is None else 2 + symbols
    parts: list[list[NDArray[np.int64]]] = [[], []]
    for symbol in range(symbols):
        own = [count // symbols + (symbol < count % symbols) for count in counts]
        between = _different_rows(generator, sum(own), config["lag"], distractors or symbols)
        rows = np.full((sum(own), config["lag"] + 2), ASK)
        rows[:, 0] = 2 + symbol
        rows[:, 1:-1] = between + first
        parts[0].append(rows[: own[0]])
        parts[1].append(rows[own[0] :])
    open_part, test = (Examples(rows := np.concatenate(part), rows[:, 0] - 2) for part in parts)
    return Dataset("recall", _recall_form(config), open_part, test)


def _different_rows(
    generator: np.random.Generator, count: int, length: int, values: int
) -> NDArray[np.int64]:
    """Draw rows of numbers below `values`, no two of them the same, shape (count, length)."""
    rows = np.empty((0, length), dtype=np.int64)
    while len(rows) < count:
        more = generator.integers(values, size=(2 * count, length))
        rows = np.unique(np.concatenate([rows, more]), axis=0)
    return generator.permutation(rows)[:count]


def _recall_summary(config: Config) -> DataSummary:
    return DataSummary(config["examples"], config["test"], _recall_form(config))


def _load_adding(config: Config, _root: object) -> Dataset:
    generator = np.random.default_rng(LOCKED_SEED)
    open_part, test = (
        _sums(generator, config[part], config["length"]) for part in ("examples", "test")
    )
    handling = Handling("random", normalization="none")
    return Dataset("adding", _adding_form(config), open_part, test, handling)


def _sums(generator: np.random.Generator, count: int, length: int) -> Examples:
    """Return sequences of (number, mark), one mark in each half, and the sums of marked numbers."""
    inputs = np.zeros((count, length, 2), dtype=np.float32)
    inputs[..., 0] = generator.random((count, length))
    half, rows = length // 2, np.arange(count)
    places = generator.integers(half, size=count), generator.integers(half, length, size=count)
    for place in places:
        inputs[rows, place, 1] = 1
    sums = sum(inputs[rows, place, 0] for place in places)
    return Examples(inputs, np.asarray(sums, dtype=np.float32)[:, None])


def _adding_form(config: Config) -> Form:
    return Form((config["length"], 2), 1, "numbers")


def _adding_summary(config: Config) -> DataSummary:
    return DataSummary(config["examples"], config["test"], _adding_form(config))


def wave(points: Numbers) -> Numbers:
    """Return a smooth mixture of three sines at points (n, 1), shape (n,)."""
    x = np.pi * points[:, 0]
    return np.asarray(0.5 * np.sin(2 * x) + 0.3 * np.cos(3 * x) + 0.2 * np.sin(5 * x + 1))


def ripple(points: Numbers) -> Numbers:
    """Return a plane wave and a round one at points (n, 2), shape (n,)."""
    x, y = points.T
    return np.asarray(0.5 * np.sin(np.pi * (2 * x + y)) + 0.5 * np.cos(np.pi * (x**2 + y**2)))


def sawtooth(points: Numbers, folds: int) -> Numbers:
    """Return the tent map applied `folds` times at points (n, 1), from -1 to 1, shape (n,)."""
    x = (points[:, 0] + 1) / 2
    for _ in range(folds):
        x = 1 - np.abs(2 * x - 1)
    return 2 * x - 1


def _function(config: Config) -> tuple[int, Callable[[Numbers], Numbers]]:
    """Return the number of variables, and the function."""
    if config["target"] == "ripple":
        return 2, ripple
    return 1, wave if config["target"] == "wave" else lambda x: sawtooth(x, config["folds"])


def _grid(variables: int) -> Numbers:
    axis = np.linspace(-1, 1, _LINE if variables == 1 else _SIDE)
    return np.stack([part.ravel() for part in np.meshgrid(*[axis] * variables)], axis=1)


def _load_function(config: Config, _root: object) -> Dataset:
    variables, function = _function(config)
    generator = np.random.default_rng(LOCKED_SEED)
    drawn = generator.uniform(-1, 1, (config["examples"], variables))
    open_part, test = (
        Examples(x.astype(np.float32), function(x).astype(np.float32)[:, None])
        for x in (drawn, _grid(variables))
    )
    handling = Handling("random", normalization="none")
    return Dataset("function", Form((variables,), 1, "numbers"), open_part, test, handling)


def _function_summary(config: Config) -> DataSummary:
    variables, _ = _function(config)
    test = _LINE if variables == 1 else _SIDE**2
    return DataSummary(config["examples"], test, Form((variables,), 1, "numbers"))


def _load_ring(config: Config, _root: object) -> Dataset:
    generator = np.random.default_rng(LOCKED_SEED)
    parts = []
    for count in (config["examples"], config["test"]):
        modes = np.arange(count) % config["modes"]
        angles = 2 * np.pi * modes / config["modes"]
        centres = config["radius"] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        points = centres + config["deviation"] * generator.standard_normal((count, 2))
        parts.append(Examples(points.astype(np.float32), modes.astype(np.int64)))
    form = Form((2,), config["modes"])
    return Dataset("ring", form, parts[0], parts[1], Handling(normalization="none"))


def _ring_summary(config: Config) -> DataSummary:
    return DataSummary(config["examples"], config["test"], Form((2,), config["modes"]))


GENERATED = {
    "recall": Source(
        no_files,
        _load_recall,
        _recall_summary,
        ("lag", "symbols", "distractors", "examples", "test"),
        "recall-1",
    ),
    "adding": Source(
        no_files, _load_adding, _adding_summary, ("length", "examples", "test"), "adding-1"
    ),
    "function": Source(
        no_files, _load_function, _function_summary, ("target", "folds", "examples"), "function-1"
    ),
    "ring": Source(
        no_files,
        _load_ring,
        _ring_summary,
        ("modes", "radius", "deviation", "examples", "test"),
        "ring-1",
    ),
}
