"""Does the method keep its promises? Simulated studies with a known truth, judged as real ones are.

Run ``python benchmarks/calibration.py [--studies 2000] [--out docs/calibration.md] [--seed 0]``.
Every number comes from the functions that judge real studies (``assess``, ``holm``, ``decide``);
nothing is re-implemented here, so a fault there shows here.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.stats import fits
from harness.stats.hypotheses import (
    Assessment,
    Between,
    Different,
    Greater,
    Hypothesis,
    Less,
    Outcome,
    assess,
    combine,
    decide,
)
from harness.stats.intervals import bootstrap_band, bootstrap_interval
from harness.stats.multiplicity import holm, intersection_union
from harness.stats.power import Rule, equivalence_power, paired_power
from harness.stats.sequential import Design, corrected_p_values, interval_alpha, sides_of

Floats = npt.NDArray[np.float64]
Noise = Callable[[np.random.Generator, tuple[int, ...]], Floats]

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

    hypothesis: Hypothesis
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
    return fits.fit_law(LEVELS**-0.5 * np.exp(0.1 * noise), LEVELS, "power").slope


def exponential_law(noise: Floats) -> Floats:
    """Rate of an exponential law with 10 % noise per level, truly -0.1."""
    return fits.fit_law(np.exp(-0.1 * LEVELS + 0.1 * noise), LEVELS, "exponential").slope


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


def judge(parts: tuple[Part, ...], assessments: list[Assessment], p_corrected: float) -> Outcome:
    """The claim's outcome as the harness combines it."""
    pairs = zip(parts, assessments, strict=True)
    return combine(decide(a, part.hypothesis, p_corrected, ALPHA) for part, a in pairs)


def assess_all(
    parts: tuple[Part, ...], values: list[Floats], alphas: list[float]
) -> list[Assessment]:
    """Assess the parts of one claim."""
    rows = zip(parts, values, alphas, strict=True)
    return [assess(array, part.hypothesis, alpha) for part, array, alpha in rows]


def fixed_cell(job: tuple[str, int, str, int, int]) -> tuple[float, float, float]:
    """Rates of false "supported", of "refuted" and of coverage for one kind, n and family."""
    kind, n, family, studies, seed = job
    parts, noise = KINDS[kind], FAMILIES[family]
    rng = np.random.default_rng(seed)
    supported = refuted = covered = 0
    for _ in range(studies):
        found = assess_all(parts, draw(parts, n, noise, rng), [ALPHA] * len(parts))
        outcome = judge(parts, found, intersection_union([a.p_value for a in found]))
        supported += outcome == "supported"
        refuted += outcome == "refuted"
        covered += found[0].low <= parts[0].truth <= found[0].high
    return supported / studies, refuted / studies, covered / studies


def family_cell(job: tuple[int, str, int, int]) -> float:
    """Rate of studies with any false "supported" among eight false claims under Holm."""
    n, family, studies, seed = job
    noise, rng = FAMILIES[family], np.random.default_rng(seed)
    wrong = 0
    for _ in range(studies):
        found = []
        for kind in FAMILY:
            parts = KINDS[kind]
            found.append(assess_all(parts, draw(parts, n, noise, rng), [ALPHA] * len(parts)))
        adjusted = holm([intersection_union([a.p_value for a in group]) for group in found])
        wrong += any(
            judge(KINDS[kind], group, p) == "supported"
            for kind, group, p in zip(FAMILY, found, adjusted, strict=True)
        )
    return wrong / studies


def sequential_study(
    claims: list[tuple[Part, ...]], design: Design, noise: Noise, rng: np.random.Generator
) -> tuple[list[Outcome], float]:
    """Play one study look by look: final outcomes, and the mean of the seeds used per claim."""
    values = [draw(parts, design.looks[-1], noise, rng) for parts in claims]
    outcomes: list[Outcome] = ["inconclusive"] * len(claims)
    used = np.full(len(claims), design.looks[-1])
    sides = [sides_of(parts[0].hypothesis) for parts in claims]
    for look, seeds in enumerate(design.looks):
        supported = [outcome == "supported" for outcome in outcomes]
        open_claims = [i for i, outcome in enumerate(outcomes) if outcome == "inconclusive"]
        found: dict[int, list[Assessment]] = {}
        p_values = np.ones(len(claims))
        for i in open_claims:
            alphas = [interval_alpha(design, look, part.hypothesis) for part in claims[i]]
            found[i] = assess_all(claims[i], [array[:seeds] for array in values[i]], alphas)
            p_values[i] = intersection_union([a.p_value for a in found[i]])
        corrected = corrected_p_values(p_values, sides, supported, design, look)
        for i in open_claims:
            outcomes[i] = judge(claims[i], found[i], corrected[i])
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


def power_cell(job: tuple[str, float, int, int, int, int]) -> tuple[float, float]:
    """Simulated power of one claim among ``claims``, at Holm's first step, and the formula's."""
    kind, effect, n, claims, studies, seed = job
    rng, noise = np.random.default_rng(seed), FAMILIES["normal"]
    if kind == "equivalent":
        hypothesis: Hypothesis = Between(-effect, effect)
        truth, formula = 0.0, equivalence_power(effect, effect, 1.0, n, Rule(ALPHA, claims))
    elif kind == "different":
        hypothesis, truth = Different(), effect
        formula = paired_power(effect, 1.0, n, Rule(ALPHA, claims, 2))
    else:
        hypothesis, truth = Greater(), effect
        formula = paired_power(effect, 1.0, n, Rule(ALPHA, claims))
    hits = 0
    for _ in range(studies):
        found = assess(truth + noise(rng, (n,)), hypothesis, ALPHA)
        hits += decide(found, hypothesis, min(1.0, claims * found.p_value), ALPHA) == "supported"
    return hits / studies, formula


def bootstrap_cell(job: tuple[str, int, str, int, int]) -> float:
    """Coverage of the bootstrap intervals and of the learning-curve band (one epoch)."""
    method, n, family, studies, seed = job
    rng, covered = np.random.default_rng(seed), 0
    for _ in range(studies):
        values = FAMILIES[family](rng, (n,))
        if method == "bca":
            low, high = bootstrap_interval(values, rng, 0.95, "bca", 999)
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


def percent(rate: float, limit: float = ALPHA, studies: int = 2000) -> str:
    """A rate in percent; bold where it exceeds the limit by more than chance (3 errors)."""
    error = np.sqrt(limit * (1.0 - limit) / studies)
    text = f"{100 * rate:.1f}"
    return f"**{text}**" if rate > limit + 3.0 * error else text


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """A Markdown table, the first column left-aligned."""
    rule = ["---"] + ["--:"] * (len(header) - 1)
    return ["| " + " | ".join(row) + " |" for row in [header, rule, *rows]] + [""]


class Jobs:
    """Runs cells of a table in all processes, each with a random stream of its own."""

    def __init__(self, pool: ProcessPoolExecutor, studies: int, seed: int) -> None:
        self.pool, self.studies, self.seed, self.count = pool, studies, seed, 0

    def run(self, cell: Callable, rows: list, columns: list, job: Callable) -> list[list]:
        """Results of ``cell(job(row, column) + (studies, seed))``, row by row."""
        jobs = []
        for row in rows:
            for column in columns:
                self.count += 1
                jobs.append((*job(row, column), self.studies, self.seed * 1_000_003 + self.count))
        results = list(self.pool.map(cell, jobs, chunksize=1))
        return [results[i : i + len(columns)] for i in range(0, len(jobs), len(columns))]


COLUMNS = [(family, n) for family in FAMILIES for n in SEEDS]
POWER = [
    ("greater", 1.5, 5, 1),
    ("greater", 1.0, 8, 1),
    ("greater", 1.5, 8, 8),
    ("greater", 1.0, 12, 8),
    ("greater", 1.0, 20, 8),
    ("different", 1.5, 8, 1),
    ("different", 1.0, 20, 8),
    ("equivalent", 1.5, 8, 1),
    ("equivalent", 1.5, 12, 8),
    ("equivalent", 1.0, 20, 8),
]


def grouped(cells: list[str]) -> list[str]:
    """One table cell per family: the figures of its numbers of seeds, in the order of SEEDS."""
    return [" / ".join(cells[i : i + len(SEEDS)]) for i in range(0, len(cells), len(SEEDS))]


def fixed_tables(jobs: Jobs) -> Iterator[str]:
    """False support, family-wise rates, refutation and coverage of fixed designs."""
    results = jobs.run(fixed_cell, list(KINDS), COLUMNS, lambda kind, c: (kind, c[1], c[0]))
    families = jobs.run(family_cell, [0], COLUMNS, lambda _, c: (c[1], c[0]))[0]
    header = ["kind of claim", *FAMILIES]

    def show(index: int, limit: Callable[[str], float]) -> list[list[str]]:
        return [
            [kind, *grouped([percent(cell[index], limit(kind), jobs.studies) for cell in row])]
            for kind, row in zip(KINDS, results, strict=True)
        ]

    yield from ["## Fixed designs: false “supported”, in percent (promised: at most 5)", ""]
    rates = [cell[0] for row in results for cell in row] + families
    for group in (("normal", "heavy", "discrete"), ("skewed",)):
        own = [
            r
            for r, (family, _) in zip(rates, COLUMNS * (len(KINDS) + 1), strict=True)
            if family in group
        ]
        yield f"Highest rate under {', '.join(group)} noise: {100 * max(own):.1f} %."
    yield ""
    rows = show(0, lambda _: ALPHA)
    any_false = grouped([percent(rate, ALPHA, jobs.studies) for rate in families])
    yield from table(header, [*rows, ["**any of 8 false claims, Holm**", *any_false]])
    yield from ["## Fixed designs: “refuted” with the truth at the margin, in percent", ""]
    yield from ["Meant: 2.5; 5 where the claim has two finite bounds (90 % interval).", ""]
    yield from table(header, show(1, lambda kind: ALPHA if two_bounds(kind) else ALPHA / 2))
    yield from ["## Fixed designs: coverage of the t interval, in percent", ""]
    yield from ["Meant: 95; 90 where the claim has two finite bounds.", ""]
    rows = [
        [kind, *grouped([f"{100 * cell[2]:.1f}" for cell in row])]
        for kind, row in zip(KINDS, results, strict=True)
    ]
    yield from table(header, rows)


def two_bounds(kind: str) -> bool:
    """Whether the kind's interval has the level 1 - 2 alpha."""
    hypothesis = KINDS[kind][0].hypothesis
    return isinstance(hypothesis, Between) and hypothesis.two_bounds


def sequential_tables(jobs: Jobs) -> Iterator[str]:
    """False support over all looks, and the seeds that stopping saves."""
    every = "**any of these 5, Holm**"
    groups = {kind: (kind,) for kind in SEQUENTIAL} | {every: SEQUENTIAL}
    columns = [(family, design) for family in FAMILIES for design in DESIGNS]
    results = jobs.run(
        sequential_cell, list(groups), columns, lambda name, c: (groups[name], c[1], c[0])
    )
    for index, (title, limit) in enumerate(
        (
            ("false “supported” over all looks, in percent (promised: at most 5)", ALPHA),
            ("“refuted” over all looks with the truth at the margin, in percent", 1.0),
        )
    ):
        yield from [f"## Sequential seeds: {title}", ""]
        yield from ["In each cell: looks at " + "; then looks at ".join(DESIGNS) + ".", ""]
        rows = []
        for name, row in zip(groups, results, strict=True):
            cells = [percent(cell[index], limit, jobs.studies) for cell in row]
            rows.append([name, *(" / ".join(cells[i : i + 2]) for i in range(0, len(cells), 2))])
        yield from table(["kind of claim", *FAMILIES], rows)
    effects = [0.75, 1.0, 1.5]
    stops = jobs.run(stopping_cell, list(DESIGNS), effects, lambda name, effect: (name, effect))
    yield from ["## Sequential seeds: power and mean number of seeds of one “greater”, normal", ""]
    rows = [
        [name, *(f"{100 * power:.0f} %, {seeds:.1f} seeds" for power, seeds in row)]
        for name, row in zip(DESIGNS, stops, strict=True)
    ]
    yield from table(["looks", *(f"effect {effect} deviations" for effect in effects)], rows)


def power_table(jobs: Jobs) -> Iterator[str]:
    """Simulated power beside the formula that ``harness plan`` uses."""
    results = jobs.run(power_cell, POWER, [0], lambda row, _: row)
    rows = [
        [
            kind,
            f"{effect}",
            f"{n}",
            f"{claims}",
            f"{100 * cell[0][0]:.1f}",
            f"{100 * cell[0][1]:.1f}",
        ]
        for (kind, effect, n, claims), cell in zip(POWER, results, strict=True)
    ]
    yield from ["## Power, in percent, normal noise", ""]
    header = ["kind", "effect (half-width)", "seeds", "claims", "simulated", "formula"]
    yield from table(header, rows)


def bootstrap_table(jobs: Jobs) -> Iterator[str]:
    """Coverage of the bootstrap intervals that figures show."""
    methods = {"BCa": "bca", "learning-curve band (expanded percentile)": "band"}
    results = jobs.run(
        bootstrap_cell, list(methods), COLUMNS, lambda name, c: (methods[name], c[1], c[0])
    )
    yield from ["## Coverage of bootstrap intervals, in percent; meant: 95", ""]
    rows = [
        [name, *grouped([f"{100 * cell:.1f}" for cell in row])]
        for name, row in zip(methods, results, strict=True)
    ]
    yield from table(["interval", *FAMILIES], rows)


INTRODUCTION = """# Calibration

Does the method keep its promises? {studies} simulated studies per cell (seed {seed}), each judged
by the functions that judge real ones. Written by `python benchmarks/calibration.py`; edit that file,
not this one.

## How to read it

- The truth sits **exactly on the margin**, the hardest place: a “supported” is false there. Farther
  inside the null the rates are lower.
- Noise: *normal*; *skewed* (exponential, skewness 2); *heavy* (t with 3 degrees of freedom);
  *discrete* (accuracy on 100 samples at 0.9). In kinds without several cells (greater, less,
  different, equivalent, threshold, composite) this is the noise of the block's number itself, so
  that skewness strikes undiminished. In the others it is the noise of each arm or level.
- In each cell the figures are for 5 / 8 / 12 / 20 seeds.
- **Bold**: above the promise by more than three simulation errors, so not by chance.

## What holds, and what does not

- For symmetric noise, light or heavy tails, and for the discrete accuracies, every kind of claim and
  the whole study under Holm keep the promise. So does skewed noise in the arms of a paired
  comparison, because it cancels in the difference.
- **Strong skewness of the block's own number breaks it.** “Less” on numbers with a long tail upwards
  (and equally “greater” with a tail downwards), and equivalence at the bound on the tail's side, are
  supported falsely about twice as often as promised, at every number of seeds shown. The opposite
  directions are conservative. The same holds for refutations and for the coverage of the interval.
  No test of a mean from so few values avoids this (Bahadur and Savage, Ann. Math. Stat. 27, 1956).
  The remedy is in the claim: compare arms within the block, or claim about a logarithm (costs,
  losses, perplexities) rather than a raw value close to a limit.
- Five seeds cannot support “different” (the smallest p-value is 1/16), nor anything in a study of two
  or more claims before the others are settled; the zeros in the tables are that, not precision.
- A refutation rests on the interval alone and is not corrected for the number of claims: among eight
  claims whose truths all sit on their margins, some refutation is likely.
- Sequential designs: the levels come from normal theory and are applied to t and sign-flip tests.
  The tables show what that costs at few seeds.
- The BCa bootstrap is too narrow with fewer than about 20 seeds; figures use the expanded percentile
  band instead, verdicts use neither.
"""


def main() -> None:
    """Simulate and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=Path("docs/calibration.md"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=min(8, os.cpu_count() or 1))
    arguments = parser.parse_args()
    lines = INTRODUCTION.format(studies=arguments.studies, seed=arguments.seed).splitlines()
    start = time.perf_counter()
    with ProcessPoolExecutor(arguments.processes) as pool:
        jobs = Jobs(pool, arguments.studies, arguments.seed)
        for section in (fixed_tables, sequential_tables, power_table, bootstrap_table):
            lines += section(jobs)
            print(f"{section.__name__}: {time.perf_counter() - start:.0f} s", flush=True)
    arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
