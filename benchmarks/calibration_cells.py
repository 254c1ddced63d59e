"""What ``calibration.py`` simulates: claims at the edge of their truth, noise, studies, cells."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import bootstrap

from harness.stats import fits
from harness.stats.averages import far_from_the_others
from harness.stats.hypotheses import (
    Alternative,
    Assessment,
    Between,
    Different,
    Greater,
    Less,
    assess,
    combine,
    decide,
    sign_flip_check,
)
from harness.stats.intervals import bootstrap_band
from harness.stats.multiplicity import end_level, refuting_level
from harness.stats.power import Rule, equivalence_power, paired_power
from harness.stats.sequential import Design, nominal_levels

Floats = npt.NDArray[np.float64]
Noise = Callable[[np.random.Generator, tuple[int, ...]], Floats]
Share = Callable[[float], float]

ALPHA = 0.05
SEEDS = (5, 8, 12, 20)
MARGIN = 0.5
HALF_WIDTH = 2.0
LEVELS = np.array([1.0, 2.0, 4.0, 8.0, 16.0])


def normal(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Standard normal."""
    return generator.standard_normal(shape)


def skewed(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Exponential, centred: skewness 2, a long tail upwards."""
    return generator.exponential(size=shape) - 1.0


def heavy(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Student's t with 3 degrees of freedom, scaled to deviation 1."""
    return generator.standard_t(3, size=shape) / np.sqrt(3.0)


def discrete(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Accuracy on 100 samples at 0.9, centred and scaled: about a dozen distinct values."""
    return (generator.binomial(100, 0.9, size=shape) - 90.0) / 3.0


FAMILIES: dict[str, Noise] = {
    "normal": normal,
    "skewed": skewed,
    "heavy": heavy,
    "discrete": discrete,
}


@dataclass(frozen=True)
class Part:
    """One claim at the edge of its null hypothesis: noise of shape ``cells`` becomes one number."""

    hypothesis: Alternative
    truth: float
    cells: tuple[int, ...]
    reduce: Callable[[Floats], Floats]


def direct(truth: float) -> Callable[[Floats], Floats]:
    """The block's number is the truth plus the noise itself: the worst case for skewness."""
    return lambda noise: truth + noise


def arms(truth: float) -> Callable[[Floats], Floats]:
    """Two arms with noise of their own."""
    return lambda noise: fits.paired_difference(truth + noise[:, 0], noise[:, 1])


def trend(noise: Floats) -> Floats:
    """Slope over log2 of five levels, true slope MARGIN."""
    x = np.log2(LEVELS)
    return fits.slopes(MARGIN * x + noise, x)


def interaction(noise: Floats) -> Floats:
    """Difference of differences, truly 0."""
    return fits.interaction(noise)


def cost_ratio(noise: Floats) -> Floats:
    """Costs that vary by 10 %; the true log ratio is log 2."""
    cost = np.exp(0.1 * noise)
    return fits.log_ratio(2.0 * cost[:, 0], cost[:, 1])


def power_law(noise: Floats) -> Floats:
    """Exponent of a power law with 10 % noise per level, truly -0.5."""
    return fits.slopes(LEVELS**-0.5 * np.exp(0.1 * noise), LEVELS, "power")


def exponential_law(noise: Floats) -> Floats:
    """Rate of an exponential law with 10 % noise per level, truly -0.1."""
    return fits.slopes(np.exp(-0.1 * LEVELS + 0.1 * noise), LEVELS, "exponential")


KINDS: dict[str, tuple[Part, ...]] = {
    "greater": (Part(Greater(MARGIN), MARGIN, (), direct(MARGIN)),),
    "less": (Part(Less(-MARGIN), -MARGIN, (), direct(-MARGIN)),),
    "greater, two noisy arms": (Part(Greater(MARGIN), MARGIN, (2,), arms(MARGIN)),),
    "different": (Part(Different(), 0.0, (), direct(0.0)),),
    "different by a margin": (Part(Different(MARGIN), MARGIN, (), direct(MARGIN)),),
    "equivalent, at the upper bound": (
        Part(Between(-HALF_WIDTH, HALF_WIDTH), HALF_WIDTH, (), direct(HALF_WIDTH)),
    ),
    "equivalent, at the lower bound": (
        Part(Between(-HALF_WIDTH, HALF_WIDTH), -HALF_WIDTH, (), direct(-HALF_WIDTH)),
    ),
    "threshold (at least)": (Part(Between(MARGIN, np.inf), MARGIN, (), direct(MARGIN)),),
    "threshold (at most)": (Part(Between(-np.inf, MARGIN), MARGIN, (), direct(MARGIN)),),
    "trend (slope)": (Part(Greater(MARGIN), MARGIN, (5,), trend),),
    "interaction": (Part(Greater(), 0.0, (2, 2), interaction),),
    "cost ratio": (Part(Greater(float(np.log(2.0))), float(np.log(2.0)), (2,), cost_ratio),),
    "fitted power law": (Part(Less(-0.5), -0.5, (5,), power_law),),
    "fitted exponential law": (Part(Between(-0.1, 0.1), -0.1, (5,), exponential_law),),
    "composite, one part false": (
        Part(Greater(MARGIN), MARGIN, (), direct(MARGIN)),
        Part(Greater(-9.0), 0.0, (), direct(0.0)),
    ),
}
# The eight claims of one study for the family-wise rate: all false, all at their edges.
FAMILY = (
    "greater",
    "less",
    "different",
    "equivalent, at the lower bound",
    "trend (slope)",
    "interaction",
    "cost ratio",
    "composite, one part false",
)
SEQUENTIAL = ("greater", "less", "different", "equivalent, at the lower bound", "trend (slope)")
DESIGNS = {"6, 10, ..., 30": Design.every(6, 4, 30), "8, 12, 16, 20": Design.every(8, 4, 20)}


def draw(parts: tuple[Part, ...], n: int, noise: Noise, rng: np.random.Generator) -> list[Floats]:
    """One study's numbers for every part of a claim, shape (n,) each."""
    return [part.reduce(noise(rng, (n, *part.cells))) for part in parts]


def judge(
    parts: tuple[Part, ...], values: list[Floats], claims: int = 1, share: Share = lambda end: end
) -> tuple[str, list[Assessment]]:
    """The claim's outcome among so many claims, and the assessments it rests on."""
    found = []
    for part, array in zip(parts, values, strict=True):
        end = end_level(ALPHA, claims, part.hypothesis.sides)
        one = assess(array, part.hypothesis, share(end))
        wide = refuting_level(ALPHA, claims, part.hypothesis, len(parts))
        if wide < end and decide(one, part.hypothesis) != "supported":
            one = assess(array, part.hypothesis, share(wide))
        found.append(one)
    return combine(decide(one, p.hypothesis) for one, p in zip(found, parts, strict=True)), found


def fixed_cell(job: tuple[str, int, str, int, int]) -> tuple[float, float, float]:
    """Rates of false "supported", of "refuted" and of coverage for one kind, n and family."""
    kind, n, family, studies, seed = job
    parts, noise = KINDS[kind], FAMILIES[family]
    rng = np.random.default_rng(seed)
    supported = refuted = covered = 0
    for _ in range(studies):
        outcome, found = judge(parts, draw(parts, n, noise, rng))
        supported += outcome == "supported"
        refuted += outcome == "refuted"
        covered += found[0].low <= parts[0].truth <= found[0].high
    return supported / studies, refuted / studies, covered / studies


def family_cell(job: tuple[int, str, int, int]) -> tuple[float, float, float]:
    """Of studies with eight claims on their margins, those with any false "supported", with any
    "refuted", and with any interval that misses."""
    n, family, studies, seed = job
    noise, rng = FAMILIES[family], np.random.default_rng(seed)
    wrong = np.zeros(3)
    for _ in range(studies):
        outcomes, missed = set(), False
        for kind in FAMILY:
            parts = KINDS[kind]
            outcome, found = judge(parts, draw(parts, n, noise, rng), len(FAMILY))
            outcomes.add(outcome)
            missed |= not found[0].low <= parts[0].truth <= found[0].high
        wrong += ("supported" in outcomes, "refuted" in outcomes, missed)
    supported, refuted, missed_any = wrong / studies
    return float(supported), float(refuted), float(missed_any)


def all_equal(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Nine seeds in ten give the same number, one in ten another; the mean is 0."""
    return np.where(generator.random(shape) < 0.1, -9.0, 1.0)


def collapsing(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """One seed in ten collapses, the others vary little; the mean is 0."""
    return all_equal(generator, shape) + 0.3 * generator.standard_normal(shape)


def one_arm(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """The difference of an arm with a long tail downwards and a normal one; the mean is 0."""
    return normal(generator, shape) - skewed(generator, shape)


def long_tail(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """A long tail downwards, the mean is 0."""
    return -skewed(generator, shape)


def accuracies(rate: float, examples: int) -> Noise:
    """Differences of two arms' accuracies on so many examples of their own, equal in truth."""

    def differences(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        one, other = generator.binomial(examples, rate, (2, *shape)) / examples
        found: Floats = one - other
        return found

    return differences


ODD: dict[str, Noise] = {
    "equal but for one seed in ten": all_equal,
    "one seed in ten collapses": collapsing,
    "one of two arms is skewed": one_arm,
    "the difference itself is skewed": long_tail,
    "saturated: 99 % of 360 examples right": accuracies(0.99, 360),
    "many ties: 90 % of 20 examples right": accuracies(0.9, 20),
}


def odd_cell(job: tuple[str, int, int, int]) -> tuple[float, float, float]:
    """False "supported" and "refuted" where numbers are odd, and false verdicts that say so.

    Of one "greater" with the truth at its margin.
    """
    name, n, studies, seed = job
    rng = np.random.default_rng(seed)
    parts = (Part(Greater(), 0.0, (), direct(0.0)),)
    supported = refuted = told = 0
    for _ in range(studies):
        values = draw(parts, n, ODD[name], rng)
        outcome, found = judge(parts, values)
        supported += outcome == "supported"
        refuted += outcome == "refuted"
        said = found[0].skewed or far_from_the_others(values[0]).any()
        told += outcome != "inconclusive" and bool(said)
    return supported / studies, refuted / studies, told / studies


def share_of(design: Design, look: int) -> Share:
    """What a look may spend of an error rate."""
    return lambda end: nominal_levels(design.looks, end)[look]


def sequential_study(
    claims: list[tuple[Part, ...]], design: Design, noise: Noise, rng: np.random.Generator
) -> tuple[list[str], float]:
    """Play one study look by look: final outcomes, and the mean of the seeds used per claim."""
    values = [draw(parts, design.looks[-1], noise, rng) for parts in claims]
    outcomes: list[str] = ["inconclusive"] * len(claims)
    used = np.full(len(claims), design.looks[-1])
    for look, seeds in enumerate(design.looks):
        for i, parts in enumerate(claims):
            if outcomes[i] == "inconclusive":
                first = [array[:seeds] for array in values[i]]
                outcomes[i], _ = judge(
                    parts,
                    first,
                    len(claims),
                    lambda end, look=look: nominal_levels(design.looks, end)[look],
                )
                if outcomes[i] != "inconclusive":
                    used[i] = seeds
    return outcomes, float(used.mean())


def sequential_cell(job: tuple[tuple[str, ...], str, str, int, int]) -> tuple[float, float]:
    """Rates of studies with any false "supported", and with any "refuted", over all looks."""
    kinds, design, family, studies, seed = job
    rng = np.random.default_rng(seed)
    claims = [KINDS[kind] for kind in kinds]
    supported = refuted = 0
    for _ in range(studies):
        outcomes, _ = sequential_study(claims, DESIGNS[design], FAMILIES[family], rng)
        supported += "supported" in outcomes
        refuted += "refuted" in outcomes
    return supported / studies, refuted / studies


def power_cell(job: tuple[str, float, int, int, int, int]) -> tuple[float, float, float]:
    """Power of one claim among ``claims``: simulated, by the formula, and of the sign-flip test."""
    kind, effect, n, claims, studies, seed = job
    rng, noise = np.random.default_rng(seed), FAMILIES["normal"]
    if kind == "equivalent":
        hypothesis: Alternative = Between(-effect, effect)
        truth, formula = 0.0, equivalence_power(effect, effect, 1.0, n, Rule(ALPHA, claims))
    elif kind == "different":
        hypothesis, truth = Different(), effect
        formula = paired_power(effect, 1.0, n, Rule(ALPHA, claims, 2))
    else:
        hypothesis, truth = Greater(), effect
        formula = paired_power(effect, 1.0, n, Rule(ALPHA, claims))
    end = end_level(ALPHA, claims, hypothesis.sides)
    hits = signs = 0
    for _ in range(studies):
        values = truth + noise(rng, (n,))
        found = assess(values, hypothesis, end)
        hits += decide(found, hypothesis) == "supported"
        signs += sign_flip_check(values, hypothesis)[0] <= hypothesis.sides * end
    return hits / studies, formula, signs / studies


def bootstrap_cell(job: tuple[str, int, str, int, int]) -> float:
    """Coverage of the bootstrap intervals and of the learning-curve band (one epoch)."""
    method, n, family, studies, seed = job
    rng, covered = np.random.default_rng(seed), 0
    for _ in range(studies):
        values = FAMILIES[family](rng, (n,))
        if method == "bca":
            found = bootstrap((values,), np.mean, n_resamples=999, rng=rng).confidence_interval
            low, high = float(found.low), float(found.high)
        else:
            band = bootstrap_band(values[:, None], rng, 0.95, 1_999)
            low, high = float(band.low[0]), float(band.high[0])
        covered += low <= 0.0 <= high
    return covered / studies


def stopping_cell(job: tuple[str, float, int, int]) -> tuple[float, float]:
    """Power and mean number of seeds of a sequential "greater" claim with a true effect."""
    design, effect, studies, seed = job
    rng = np.random.default_rng(seed)
    claims: list[tuple[Part, ...]] = [(Part(Greater(), 0.0, (), direct(effect)),)]
    plays = [sequential_study(claims, DESIGNS[design], normal, rng) for _ in range(studies)]
    hits = [outcomes == ["supported"] for outcomes, _ in plays]
    return float(np.mean(hits)), float(np.mean([used for _, used in plays]))
