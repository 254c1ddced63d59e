"""Seeds in instalments: a group-sequential design that keeps alpha over all looks.

Looking at the p-value after every instalment and stopping at the first small one inflates false
positives (Armitage, McPherson and Rowe, J. R. Stat. Soc. A 132, 1969). Here each look has its own
nominal level. They come from an alpha-spending function (Lan and DeMets, Biometrika 70, 1983), that
of Pocock: ``alpha * log(1 + (e - 1) * t)`` of the error is spent by the time a share ``t`` of the
seeds is in. That of O'Brien and Fleming would spend so little early that the first instalments of
seeds could decide nothing. The levels are computed for the joint normal distribution of the looks
by recursive integration and are applied to the t interval as levels of its p-values (Jennison and
Turnbull, Group Sequential Methods, 2000, sections 3.8 and 7.2). The intervals of all looks together
keep their confidence, so that stopping at the first one that decides is allowed (Jennison and
Turnbull, J. R. Stat. Soc. B 51, 1989).

Confidence sequences (Howard et al., Ann. Stat. 49, 2021) would allow a look after every seed, but
at 30 seeds they are about 1.5 times wider than a fixed-sample interval; the looks here are known
beforehand, so the group-sequential design wins.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.stats.arrays import Floats, halved

# The grid on the scale of Brownian motion, whose deviation at full information is 1.
_POINTS = 801
_LOWEST, _HIGHEST = -7.0, 8.0


@dataclass(frozen=True)
class Design:
    """When to look; ``looks`` are seeds in all, increasing, above 1."""

    looks: tuple[int, ...]
    alpha: float = 0.05

    def __post_init__(self) -> None:
        if not self.looks or self.looks[0] < 2:
            raise ValueError(f"a look needs at least two seeds, got {self.looks}")
        if any(b <= a for a, b in zip(self.looks, self.looks[1:], strict=False)):
            raise ValueError(f"looks must increase, got {self.looks}")
        if not 0.0 < self.alpha < 0.5:
            raise ValueError(f"alpha lies in (0, 0.5), got {self.alpha}")

    @classmethod
    def every(cls, start: int, step: int, most: int, alpha: float = 0.05) -> "Design":
        """Looks at ``start``, then every ``step`` seeds, and always at ``most``.

        Raises:
            ValueError: for a step below one, or a start below two or above ``most``.
        """
        if step < 1 or start > most:
            raise ValueError(f"expected step >= 1 and start <= max, got {start}, {step}, {most}")
        return cls((*range(start, most, step), most), alpha)


@lru_cache(maxsize=1024)
def nominal_levels(looks: tuple[int, ...], alpha: float) -> tuple[float, ...]:
    """One-sided nominal levels of all looks that spend ``alpha`` together.

    Args:
        looks: seeds in all, increasing.
        alpha: chance that one end of a claim's interval may be wrong at any look
            (``multiplicity.end_level``).

    Solves look by look for the level whose first crossing spends what is due by then.

    Works on the scale of Brownian motion: at share ``t`` the statistic is ``B(t) = Z * sqrt(t)``,
    increments are independent, and the probability mass that has not crossed yet is carried
    forward on a grid of nodes.
    """
    from scipy.special import ndtr

    levels: list[float] = []
    nodes, mass, before, used = np.zeros(1), np.ones(1), 0.0, 0.0
    for n in looks:
        share = n / looks[-1]
        width = math.sqrt(share - before)
        boundary = _boundary(nodes, mass, width, alpha * math.log1p((math.e - 1.0) * share) - used)
        levels.append(float(ndtr(-boundary / math.sqrt(share))))
        used += _crossing(nodes, mass, width, boundary)
        nodes, mass = _carry(nodes, mass, width, (_LOWEST * math.sqrt(share), boundary))
        before = share
    return tuple(levels)


def _crossing(nodes: Floats, mass: Floats, width: float, boundary: float) -> float:
    """Probability that an increment with deviation ``width`` carries the mass over a boundary."""
    from scipy.special import ndtr

    return float(mass @ ndtr((nodes - boundary) / width))


def _boundary(nodes: Floats, mass: Floats, width: float, due: float) -> float:
    """The boundary that is crossed with probability ``due``; infinite when nothing is due."""
    if due <= _crossing(nodes, mass, width, _HIGHEST):
        return math.inf
    return halved(_LOWEST, _HIGHEST, lambda at: _crossing(nodes, mass, width, at) <= due)[1]


def _carry(
    nodes: Floats, mass: Floats, width: float, bounds: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Mass below the boundary after one increment, on a new grid (trapezoidal rule)."""
    low, high = bounds[0], min(bounds[1], _HIGHEST)
    new, step = np.linspace(low, high, _POINTS, retstep=True)
    kernel = np.exp(-0.5 * ((new[:, None] - nodes) / width) ** 2)
    density = kernel @ mass / (width * math.sqrt(2.0 * math.pi))
    density[[0, -1]] /= 2.0
    return new, density * float(step)
