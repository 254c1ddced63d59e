"""Seeds in instalments: a group-sequential design that keeps alpha over all looks.

Looking at the p-value after every instalment and stopping at the first small one inflates false
positives (Armitage, McPherson and Rowe, J. R. Stat. Soc. A 132, 1969). Here each look has its own
nominal level. They come from an alpha-spending function (Lan and DeMets, Biometrika 70, 1983), that
of Pocock: ``alpha * log(1 + (e - 1) * t)`` of the error is spent by the time a share ``t`` of the
seeds is in. That of O'Brien and Fleming would spend so little early that the first instalments of
seeds, whose p-values are multiples of ``2**-n``, could decide nothing. The
levels are computed for the joint normal distribution of the looks by recursive integration and
are applied to the t and sign-flip tests as levels of their p-values (Jennison and Turnbull, Group
Sequential Methods, 2000, sections 3.8 and 7.2).

With few seeds a sign-flip test cannot reach a small level: its p-values are multiples of
``2**-n``. Each level is therefore rounded down to one that the look can attain, and what a look
cannot spend remains for the later ones.

Confidence sequences (Howard et al., Ann. Stat. 49, 2021) would allow a look after every seed, but
at 30 seeds they are about 1.5 times wider than a fixed-sample interval; the looks here are known
beforehand, so the group-sequential design wins.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.stats.arrays import Floats
from harness.stats.hypotheses import Alternative
from harness.stats.multiplicity import checked_p_values
from harness.stats.power import attainable_level

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


def nominal_level(design: Design, look: int, claims: int = 1, sides: Literal[1, 2] = 1) -> float:
    """Level that a p-value has to meet at one look, for ``design.alpha / claims`` in all.

    Args:
        design: looks and spending.
        look: index from 0.
        claims: number of claims that share alpha.
        sides: 2 for the p-value of a two-sided claim.

    Returns:
        A level that a sign-flip test of that many seeds can attain; 0 where the look cannot decide.

    Raises:
        ValueError: for fewer than one claim.
    """
    if claims < 1:
        raise ValueError(f"expected at least one claim, got {claims}")
    one_sided = design.alpha / claims / sides
    return sides * nominal_levels(design.looks, one_sided)[look]


def interval_alpha(design: Design, look: int, hypothesis: Alternative) -> float:
    """The alpha to give to ``hypotheses.assess`` at one look, for a repeated confidence interval.

    The intervals of all looks together cover with confidence ``1 - alpha`` (``1 - 2 * alpha`` for
    a ``Between`` with two finite bounds, as in ``hypotheses.confidence_level``), so that stopping
    at the first one that decides is allowed (Jennison and Turnbull, J. R. Stat. Soc. B 51, 1989).

    Returns:
        An alpha for that look; 0, an unbounded interval, where the look cannot decide.
    """
    return nominal_level(design, look, 1, 1 if hypothesis.two_bounds else 2)


def corrected_p_values(
    p_values: npt.ArrayLike,
    sides: npt.ArrayLike,
    supported_before: npt.ArrayLike,
    design: Design,
    look: int,
) -> Floats:
    """Group-sequential Holm correction of a study's p-values at one look.

    Holm's steps with each claim's alpha spent over the looks (Ye, Li, Liu and Yao, Stat. Med. 32,
    2013; Maurer and Bretz, Stat. Biopharm. Res. 5, 2013). The values are scaled so that "at most
    ``design.alpha``" means "meets the nominal level of this look": they go into
    ``hypotheses.decide`` as Holm's do in a fixed design.

    Args:
        p_values: shape (claims,); all claims of the study, 1 where one is absent or was refuted.
        sides: shape (claims,), the ``sides`` of each claim's alternative.
        supported_before: shape (claims,), booleans: supported at an earlier look.
        design: looks and spending.
        look: index from 0.

    Returns:
        Shape (claims,), in [0, 1]; 0 for claims that were supported before.

    Raises:
        ValueError: for absent p-values, p-values outside [0, 1] or unequal shapes.
    """
    array = checked_p_values(p_values)
    side, done = np.asarray(sides), np.asarray(supported_before, dtype=bool)
    if side.shape != array.shape or done.shape != array.shape:
        raise ValueError("p_values, sides and supported_before need the same shape")
    scaled = np.zeros_like(array)
    open_claims = np.flatnonzero(~done)
    while open_claims.size:
        ratios = np.array(
            [
                _ratio(array[claim], _step_down_level(design, look, open_claims.size, side[claim]))
                for claim in open_claims
            ]
        )
        scaled[open_claims] = np.minimum(1.0, design.alpha * ratios)
        if not (ratios <= 1.0).any():
            break
        open_claims = open_claims[ratios > 1.0]
    return scaled


def _ratio(p_value: float, level: float) -> float:
    return p_value / level if level > 0.0 else math.inf


def _step_down_level(design: Design, look: int, left: int, sides: int) -> float:
    """The level when ``left`` claims are open, never above the level with fewer claims open.

    Holm's shortcut of the closed test needs levels that grow as claims drop out. Carrying unspent
    alpha forward could break that in the last digit, so the smallest of them is taken.
    """
    either: Literal[1, 2] = 2 if sides == 2 else 1
    return min(nominal_level(design, look, claims, either) for claims in range(1, left + 1))


@lru_cache(maxsize=1024)
def nominal_levels(
    looks: tuple[int, ...], alpha: float, attainable: bool = True
) -> tuple[float, ...]:
    """One-sided nominal levels of all looks for one claim; with or without the rounding down.

    Solves look by look for the level whose first crossing spends what is due by then.

    Works on the scale of Brownian motion: at share ``t`` the statistic is ``B(t) = Z * sqrt(t)``,
    increments are independent, and the probability mass that has not crossed yet is carried
    forward on a grid of nodes.
    """
    from scipy.special import ndtr, ndtri

    levels: list[float] = []
    nodes, mass, before, used = np.zeros(1), np.ones(1), 0.0, 0.0
    for n in looks:
        share = n / looks[-1]
        width = math.sqrt(share - before)
        boundary = _boundary(nodes, mass, width, alpha * math.log1p((math.e - 1.0) * share) - used)
        level = float(ndtr(-boundary / math.sqrt(share)))
        if attainable:
            level = attainable_level(level, n)
            boundary = -float(ndtri(level)) * math.sqrt(share)
        levels.append(level)
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
    low, high = _LOWEST, _HIGHEST
    for _ in range(60):
        middle = (low + high) / 2.0
        if _crossing(nodes, mass, width, middle) > due:
            low = middle
        else:
            high = middle
    return high


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
