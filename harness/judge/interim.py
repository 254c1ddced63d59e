"""When claims are judged: once, or at every look of a study that adds seeds in instalments.

A sequential study judges its claims at fixed numbers of seeds. A claim that is supported or refuted
at a look is decided there and keeps that verdict; the others wait for the next look. The intervals
of each look allow for all looks (`harness.stats.sequential`). The walk
is a pure function of the records of the first seeds, so that the run that decides what to train
next and the report that is written years later come to the same verdicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.evidence import Evidence
from harness.judge.measures import involved_arms
from harness.judge.verdicts import Rules, judge_by
from harness.judged import Verdict
from harness.study import Study
from harness.study.timing import claims_on_blocks

FINAL = {"supported", "refuted", "incomplete"}
"""Verdicts that more seeds do not change. Where a trial is missing, failed or diverged, every later
look would miss it as well."""


def judge(evidence: Evidence, dropped: int = 0) -> list[Verdict]:
    """Return the verdict of every claim of a study, at the look that decided it.

    Args:
        evidence: of one execution.
        dropped: claims that were judged on this evidence before and are declared no longer; the
            correction counts each as one that is not supported.
    """
    study = evidence.plan.study
    if len(study.looks) == 1:
        return judge_by(Rules(study.most_seeds, lambda end: end, dropped), evidence)
    return _walk(evidence, study.looks, dropped)


def arms_to_continue(evidence: Evidence, seeds: int) -> set[str]:
    """Return the arms that need more seeds: those of the claims that are open at a look.

    Args:
        evidence: with a record of every trial that the looks up to this one need.
        seeds: at the look, one of the study's `looks`.

    Returns:
        Names of arms; none when every claim is decided.
    """
    study = evidence.plan.study
    looks = [look for look in study.looks if look <= seeds]
    verdicts = _walk(evidence, looks) if study.claims else []
    undecided = {verdict.id for verdict in verdicts if verdict.verdict not in FINAL}
    undecided -= claims_on_blocks(study)
    return {
        arm.name
        for claim in study.claims
        if claim.id in undecided
        for test in claim.tests
        for arm in involved_arms(test, evidence.plan)
    }


def _walk(evidence: Evidence, looks: Sequence[int], dropped: int = 0) -> list[Verdict]:
    """Judge look after look; a claim keeps the verdict that decided it, else has the last one."""
    study = evidence.plan.study
    timed = claims_on_blocks(study)  # which do not wait for seeds
    latest: dict[str, Verdict] = {}
    for look, seeds in enumerate(looks):
        rules = _rules_at(study, look, dropped)
        for verdict in judge_by(rules, evidence):
            before = latest.get(verdict.id)
            if before is None or not (before.verdict in FINAL or before.id in timed):
                found = verdict if verdict.id in timed else _about_look(verdict, seeds, study)
                latest[verdict.id] = found
        if all(v.verdict in FINAL or v.id in timed for v in latest.values()):
            break
    return list(latest.values())


def _about_look(verdict: Verdict, seeds: int, study: Study) -> Verdict:
    if verdict.verdict == "inconclusive" or seeds == study.most_seeds:
        return verdict
    return replace(verdict, reason=f"{verdict.reason} (at the look at {seeds} seeds)")


def _rules_at(study: Study, look: int, dropped: int) -> Rules:
    """Return the rules of one look."""
    from harness.stats.sequential import nominal_levels  # SciPy is slow to import

    looks = study.looks
    return Rules(looks[look], lambda end: nominal_levels(tuple(looks), end)[look], dropped)
