"""Where the evidence of an execution comes from, and what its study file says today."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.evidence import Evidence
from harness.integrity.ledger import Ledger
from harness.judge import declared_claims
from harness.plan import make_plan
from harness.store import Execution
from harness.study import InputError, LoadedStudy, Study, load_study

STUDIES = Path("studies")


@dataclass(frozen=True)
class Provenance:
    """Where the records come from, and what the study file says today.

    Attributes:
        published: whether the records come from a published file and not from a run made here.
        file: the study file of today; empty where it is not at hand.
        trouble: why the file cannot be compared; empty where it can, or is not at hand.
        plan_hash: the hash of the plan that the file would give today.
        study_changed: whether that is another plan than the one that ran.
        changed: the claims whose test differs, or that are no longer there.
        discussions: why a verdict is what it is, by claim, from the file or else as declared.
        ledger: what was declared whenever the evidence was looked at before.
    """

    published: bool = False
    file: str = ""
    trouble: str = ""
    plan_hash: str = ""
    study_changed: bool = False
    changed: frozenset[str] = frozenset()
    discussions: Mapping[str, str] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)


def provenance_of(evidence: Evidence, *, published: bool = False) -> Provenance:
    """Compare what an execution declared with its study file, if that is at hand.

    The file is the one that the run named, if it lies below the working directory, or else
    `studies/<study>.yaml`.
    """
    execution, then = evidence.execution, evidence.plan.study
    file = _study_file(execution)
    if file is None:
        return Provenance(published, discussions=_discussions(then, execution.profile))
    try:
        loaded = _load(file, execution)
    except InputError as error:
        return Provenance(
            published,
            file.as_posix(),
            trouble=str(error.problems[0].message),
            discussions=_discussions(then, execution.profile),
        )
    today = make_plan(loaded.study, loaded.arms, profile=execution.profile)
    declared, present = declared_claims(then), declared_claims(loaded.study)
    return Provenance(
        published,
        file.as_posix(),
        plan_hash=today.hash,
        study_changed=today.hash != evidence.plan.hash,
        changed=frozenset(c for c, test in declared.items() if present.get(c) != test),
        discussions=_discussions(loaded.study, execution.profile),
    )


def changed_claims(judged: Iterable[tuple[str, str, float]], claims: Mapping[str, str]) -> set[str]:
    """Return the claims that met their evidence under another declaration before this one.

    Args:
        judged: (claim, hash of its declaration, moment) whenever a claim met evidence.
        claims: the hash of each claim's declaration.
    """
    first: dict[str, tuple[float, str]] = {}
    for claim, declared, at in judged:
        if claim not in first or at < first[claim][0]:
            first[claim] = (at, declared)
    return {c for c, declared in claims.items() if c in first and first[c][1] != declared}


def _study_file(execution: Execution) -> Path | None:
    named = Path(str(execution.context.get("file", "")))
    inside = not named.is_absolute() and ".." not in named.parts
    usual = STUDIES / f"{execution.study}.yaml"
    candidates = [named, usual] if inside and named.suffix else [usual]
    return next((file for file in candidates if file.is_file()), None)


def _load(file: Path, execution: Execution) -> LoadedStudy:
    overrides = execution.context.get("overrides", {})
    profile = None if execution.profile == "default" else execution.profile
    loaded = load_study(
        file, profile, [f"{path}={json.dumps(value)}" for path, value in overrides.items()]
    )
    if loaded.study.study != execution.study:
        raise InputError(f"it is now the study '{loaded.study.study}'")
    return loaded


def _discussions(study: Study, profile: str) -> dict[str, str]:
    found = {}
    for claim in study.claims:
        said = claim.discussion
        text = said.get(profile) if isinstance(said, dict) else said
        if text and text.strip():
            found[claim.id] = " ".join(text.split())
    return found
