"""A continuous function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from pydantic import Field

from harness.data._dataset import LOCKED_SEED, Dataset, Examples, Handling
from harness.data.base import Data
from harness.data_spec import Form
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Numbers: TypeAlias = "NDArray[np.float64]"

_LINE, _SIDE = 1001, 51  # test points on a line, and on each side of a square


class Function(Data):
    """A continuous function on [-1, 1] or its square, with values in [-1, 1].

    `wave` is a smooth mixture of sines; `ripple` a smooth one of two variables; `sawtooth` the tent
    map applied `folds` times, which takes many units in one layer but few layers of two units
    (Telgarsky 2016, Benefits of depth in neural networks). Training points are drawn at random,
    test points stand on a dense grid.
    """

    name: Literal["function"]
    target: Literal["wave", "ripple", "sawtooth"] = "wave"
    folds: int = Field(3, ge=1, le=20, description="of the sawtooth, which has 2^folds pieces")
    examples: int = Field(1000, ge=20, description="points for training and validation")

    rule: ClassVar[str] = "function-1"
    cases: ClassVar = (
        {},
        {"target": "ripple"},
        {"target": "sawtooth", "folds": 5},
    )

    @property
    def form(self) -> Form:
        """One or two variables, and the value."""
        return Form((2 if self.target == "ripple" else 1,), 1, "numbers")

    def sizes(self) -> tuple[int, int]:
        """See `Data`."""
        return self.examples, _SIDE**2 if self.target == "ripple" else _LINE

    def load(self, root: Path) -> Dataset:
        """Draw points of training, and take those of the grid."""
        del root
        (variables,) = self.form.shape
        generator = np.random.default_rng(LOCKED_SEED)
        drawn = generator.uniform(-1, 1, (self.examples, variables))
        values: dict[str, Callable[[Numbers], Numbers]] = {
            "wave": wave, "ripple": ripple, "sawtooth": lambda x: sawtooth(x, self.folds),
        }  # fmt: skip
        open_part, test = (
            Examples(x.astype(np.float32), values[self.target](x).astype(np.float32)[:, None])
            for x in (drawn, _grid(variables))
        )
        handling = Handling("random", normalization="none")
        return Dataset("function", self.form, open_part, test, handling)


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


def _grid(variables: int) -> Numbers:
    axis = np.linspace(-1, 1, _LINE if variables == 1 else _SIDE)
    return np.stack([part.ravel() for part in np.meshgrid(*[axis] * variables)], axis=1)
