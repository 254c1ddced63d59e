"""An earlier look at the evidence, and what was declared at it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from harness.judge import declared_claims
from harness.store import Look
from harness.study import compared, study_from_dict


@dataclass(frozen=True)
class Declaration:
    """What a study declared.

    Attributes:
        claims: the hash of each claim's test.
        arms: the arms that each claim looks at.
        seeds: how many there were at most.
        looks: the numbers of seeds at which claims were judged.
        as_written: `seeds` as the study has it.
    """

    claims: Mapping[str, str]
    arms: Mapping[str, Set[str]]
    seeds: int
    looks: tuple[int, ...]
    as_written: Any


@dataclass(frozen=True)
class Past:
    """An earlier look, and what was declared at it."""

    look: Look
    declared: Declaration

    @classmethod
    def of(cls, look: Look) -> Past:
        """Read what was declared at a look.

        Raises:
            Exception: of any kind, if it is damaged or of an older form.
        """
        return cls(look, _read(json.dumps(look.declaration)))  # in order: arms are named by it

    @property
    def claims(self) -> Mapping[str, str]:
        """The hash of each claim's test."""
        return self.declared.claims

    @property
    def day(self) -> str:
        """When it was, in universal time."""
        return datetime.fromtimestamp(self.look.at, UTC).strftime("%Y-%m-%d %H:%M UTC")


@lru_cache(maxsize=64)
def _read(text: str) -> Declaration:
    """Read a declaration; a study that is run again and again declares the same."""
    study, arms = study_from_dict(json.loads(text))
    compared_by = {
        claim.id: {
            arm.name
            for test in claim.tests
            for side in compared(test, study, arms).sides
            for arm in side
        }
        for claim in study.claims
    }
    claims = declared_claims(study)
    return Declaration(claims, compared_by, study.most_seeds, study.looks, study.seeds)
