"""What the planned seeds can show of each claim, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.stats.power import Rule, detectable_difference, equivalence_width
from harness.study import Study
from harness.study.claims import kind_of
from harness.study.generalize_checks import data_set_counts
from harness.study.timing import claims_on_blocks

POWER = 0.8
_KINDS = ("one-sided", "two-sided", "equivalence")


def power_of(study: Study) -> dict[str, Any]:
    """Say what the planned seeds can show, in deviations of a claim's one number per seed.

    Where the search is repeated, its repetitions are what counts (`harness.judge.repeats`): the
    unit is the deviation of the averages over the seeds of one repetition.

    Returns:
        `seeds` in all, the `searches` of an arm (0 without a search), the number of `claims`, and
        of each of the `looks` its `seeds`, and what is `detectable` by
        each kind of claim: the distance of the effect beyond the margin (of `equivalence`: of the
        bounds from the effect) that is found with a power of 0.8. `by_claim` holds the `kind` of
        each claim; `datasets` says with how many data sets claims over data sets would show what,
        in deviations between data sets (empty without such claims); `blocks` says the same of the
        timing blocks that claims rest on, None without;
        `benchmark` what a leaderboard can settle, None where there is none.
    """
    kinds = {claim.id: kind_of(claim) for claim in study.claims}
    timed, over_data = claims_on_blocks(study), data_set_counts(study)
    of_seeds = {kind for id_, kind in kinds.items() if id_ not in timed and id_ not in over_data}
    looks = []
    for look, seeds in enumerate(study.looks):
        found = _detectable(study, seeds, look, of_seeds)
        known = [distance for distance in found.values() if distance is not None]
        hardest = max(known) if known and len(known) == len(found) else None
        looks.append({"seeds": seeds, "detectable": hardest, "by_kind": found})
    return {
        "seeds": study.most_seeds,
        "searches": study.search.repeats if study.search else 0,
        "claims": len(study.claims),
        "detectable": looks[-1]["detectable"],
        "looks": looks,
        "blocks": None
        if study.timing is None or not timed
        else {
            "blocks": study.timing.blocks,
            "by_kind": _detectable(study, study.timing.blocks, None, {kinds[id_] for id_ in timed}),
        },
        "datasets": _of_datasets(study, over_data, kinds),
        "benchmark": _of_benchmark(study),
        "by_claim": [{"id": id_, "kind": kind} for id_, kind in kinds.items()],
    }


def _of_benchmark(study: Study) -> dict[str, Any] | None:
    """Say what a benchmark can settle: of any two methods, which difference, with more data sets.

    The distance is that of a t test at the corrected level, close to the signed-rank test's.
    """
    if study.datasets is None:
        return None
    from harness.ranking.pairs import fewest_datasets  # SciPy is slow to import

    methods, datasets = (
        len(study.factors[name].levels) for name in (study.design.methods, study.datasets)
    )
    boards = max(len(study.design.metrics), 1)
    alpha, pairs = study.alpha / boards, methods * (methods - 1) // 2
    needed = fewest_datasets(methods, alpha)
    counts = [n for n in (datasets, 2 * datasets, 4 * datasets) if n >= needed]
    found = [detectable_difference(n, 1.0, Rule(alpha, pairs, 2), POWER) for n in counts]
    return {
        "methods": methods, "datasets": datasets, "pairs": pairs, "needed": needed,
        "detectable": dict(zip(map(str, counts), found, strict=True)),
    }  # fmt: skip


def _of_datasets(
    study: Study, counts: Mapping[str, int], kinds: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Say what claims over data sets can show with as many as there are, and with more."""
    if not counts:
        return []
    fewest, found = min(counts.values()), {kinds[id_] for id_ in counts}
    return [
        {"datasets": n, "by_kind": _detectable(study, n, None, found, searched=False)}
        for n in (fewest, 2 * fewest, 4 * fewest)
    ]


def _detectable(
    study: Study, numbers: int, look: int | None, kinds: set[str], *, searched: bool = True
) -> Mapping[str, float | None]:
    """Return what is detectable at a look of a sequential study, or with a fixed number of seeds.

    What the looks before have shown is left out, so that the power is not overstated. Blocks
    belong to no look, and neither they nor data sets (not `searched`) to a repetition of a search.
    """
    claims = max(len(study.claims), 1)
    if searched and study.search is not None and study.search.repeats > 1:
        numbers = min(study.search.repeats, numbers)
    found: dict[str, float | None] = {}
    for kind in sorted(kinds, key=_KINDS.index):
        rule = Rule(study.alpha, claims, 2 if kind == "two-sided" else 1)
        if look is not None and len(study.looks) > 1:
            from harness.stats.sequential import nominal_levels  # SciPy is slow to import

            share = nominal_levels(tuple(study.looks), rule.end)[look] / rule.end
            rule = replace(rule, alpha=study.alpha * share)
        if kind == "equivalence":
            found[kind] = equivalence_width(numbers, rule, POWER)
        else:
            found[kind] = detectable_difference(numbers, 1.0, rule, POWER)
    return found
