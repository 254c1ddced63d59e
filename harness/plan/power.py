"""What the planned seeds can show of each claim, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from harness.formatting import listed
from harness.stats.multiplicity import holm
from harness.stats.power import (
    Rule,
    detectable_difference,
    equivalence_width,
    smallest_p,
)
from harness.study import Study
from harness.study.claims import kind_of

POWER = 0.8
Sides = Literal[1, 2]
_KINDS = ("one-sided", "two-sided", "equivalence")


def power_of(study: Study) -> dict[str, Any]:
    """Say what the planned seeds can show, in deviations of a claim's one number per seed.

    Returns:
        `seeds` in all, the number of `claims`, the `fewest_seeds` with which every claim could be
        supported, and of each of the `looks` what is `detectable` by each kind of claim: the
        distance of the effect beyond the margin (of `equivalence`: of the bounds from the effect)
        that is found with a power of 0.8; None where no such claim can be supported. `by_claim`
        holds of each claim its `kind`, its `smallest_p`, that value `corrected` for the other
        claims, and whether it `can_be_supported` by any data.
    """
    kinds = {claim.id: kind_of(claim) for claim in study.claims}
    sides: list[Sides] = [2 if kind == "two-sided" else 1 for kind in kinds.values()]
    corrected, supported = _best(study, sides)
    looks = []
    for look, seeds in enumerate(study.looks):
        found = _detectable(study, look, set(kinds.values()))
        known = [distance for distance in found.values() if distance is not None]
        hardest = max(known) if known and len(known) == len(found) else None
        looks.append({"seeds": seeds, "detectable": hardest, "by_kind": found})
    return {
        "seeds": study.most_seeds,
        "claims": len(study.claims),
        "fewest_seeds": _fewest(sides, study.alpha),
        "detectable": looks[-1]["detectable"],
        "looks": looks,
        "by_claim": [
            {
                "id": id_,
                "kind": kind,
                "smallest_p": smallest_p(study.most_seeds, side),
                "corrected": p,
                "can_be_supported": can,
            }
            for (id_, kind), side, p, can in zip(
                kinds.items(), sides, corrected, supported, strict=True
            )
        ],
    }


def too_few_seeds(study: Study) -> str | None:
    """Say which claims no data could support; None where each could be supported."""
    sides: list[Sides] = [2 if kind_of(c) == "two-sided" else 1 for c in study.claims]
    corrected, supported = _best(study, sides)
    ids = [claim.id for claim in study.claims]
    never = [i for i, can in enumerate(supported) if not can]
    if not never:
        return None
    which = (
        "no claim can" if len(never) == len(ids) else f"{listed([ids[i] for i in never])} cannot"
    )
    because = "no look can reach its share of the error rate"
    if len(study.looks) == 1:
        lowest = min(smallest_p(study.most_seeds, sides[i]) for i in never)
        best = min(corrected[i] for i in never)
        because = (
            f"the smallest p-value there is, {lowest:.2g}, is {best:.2g} once it is"
            f" corrected for {len(ids)} claims"
        )
    return (
        f"With {study.most_seeds} seeds {which} be supported, whatever the data: {because};"
        f" at least {_fewest(sides, study.alpha)} seeds are needed."
    )


def _best(study: Study, sides: Sequence[Sides]) -> tuple[list[float], list[bool]]:
    """Return the corrected p-values if all data point as far as they can, and what they support."""
    if len(study.looks) == 1:
        corrected = _floors(study.most_seeds, sides)
        return corrected, [p <= study.alpha for p in corrected]
    from harness.stats.sequential import Design, corrected_p_values  # SciPy is slow to import

    design = Design(study.looks, study.alpha)
    supported = [False] * len(sides)
    lowest = [1.0] * len(sides)
    for look, seeds in enumerate(study.looks):
        floors = [smallest_p(seeds, side) for side in sides]
        found = corrected_p_values(floors, list(sides), supported, design, look) if sides else ()
        lowest = [before if done else float(p)
                  for before, done, p in zip(lowest, supported, found, strict=True)]  # fmt: skip
        supported = [p <= study.alpha for p in lowest]
    return lowest, supported


def _floors(seeds: int, sides: Sequence[Sides]) -> list[float]:
    return [float(p) for p in holm([smallest_p(seeds, side) for side in sides])] if sides else []


def _fewest(sides: Sequence[Sides], alpha: float) -> int:
    """Return the seeds below which some data could support every claim; looks need more."""
    seeds = 1
    while any(p > alpha for p in _floors(seeds, sides)):
        seeds += 1
    return seeds


def _detectable(study: Study, look: int, kinds: set[str]) -> Mapping[str, float | None]:
    """Return what is detectable at a look of a sequential study, or with a fixed number of seeds.

    A look spends a part of alpha; the share that its interval gets is used for its test as well,
    and what the looks before have shown is left out, so that the power is not overstated.
    """
    seeds, claims = study.looks[look], max(len(study.claims), 1)
    found: dict[str, float | None] = {}
    for kind in sorted(kinds, key=_KINDS.index):
        alpha = study.alpha if len(study.looks) == 1 else _share(study, look, kind)
        if alpha <= 0:
            found[kind] = None
        elif kind == "equivalence":
            found[kind] = equivalence_width(seeds, Rule(alpha, claims), POWER)
        else:
            rule = Rule(alpha, claims, 2 if kind == "two-sided" else 1)
            found[kind] = detectable_difference(seeds, 1.0, rule, POWER)
    return found


def _share(study: Study, look: int, kind: str) -> float:
    """Return the part of alpha that a look's interval gets."""
    from harness.stats.hypotheses import Between, Greater
    from harness.stats.sequential import Design, interval_alpha

    hypothesis = Between(-1.0, 1.0) if kind == "equivalence" else Greater()
    return interval_alpha(Design(study.looks, study.alpha), look, hypothesis)
