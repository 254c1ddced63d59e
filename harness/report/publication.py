"""What changed in the verdicts since they were last published."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.report.settings import day
from harness.report.verdicts import effect
from harness.report.view import ProfileResult

NAME = "verdicts.json"
"""The file beside the published scoreboard: the verdicts that it shows, and those before them."""


@dataclass(frozen=True)
class Change:
    """A verdict that is new, gone or other than it was; each as words and effect, or empty."""

    study: str
    profile: str
    claim: str
    was: str
    now: str

    @property
    def key(self) -> str:
        """Name the claim in its profile."""
        return f"{self.study}/{self.profile}/{self.claim}"


@dataclass(frozen=True)
class Changes:
    """What changed, and the day of the evidence that it is compared with."""

    since: str
    changes: Sequence[Change]
    same: int

    @property
    def headline(self) -> str:
        """Count them in a sentence."""
        kinds = [
            (sum(bool(c.was and c.now) for c in self.changes), "other than then"),
            (sum(not c.was for c in self.changes), "new"),
            (sum(not c.now for c in self.changes), "gone"),
        ]
        told = ", ".join(f"{count} {word}" for count, word in kinds if count)
        return f"Of the verdicts, {told or 'none is other than then'}; {self.same} are the same."


def changes_since(
    now: Mapping[str, str], folder: Path, waiting: Set[str] = frozenset()
) -> Changes | None:
    """Compare verdicts with the publication in a folder; None where there is none to compare with.

    Of verdicts that are just what was published last, what the publication before had is told.

    Args:
        now: the verdicts, as of `verdicts_of`.
        folder: of the publication.
        waiting: the studies that nobody has judged here, of which nothing can be told.
    """
    stored = _read(folder / NAME)
    if not stored:
        return None
    last, before = _without(stored["now"], waiting), _without(stored.get("before") or {}, waiting)
    then = last if last["verdicts"] != now else before
    return _compared(then, now) if then else None


def keep_verdicts(now: Mapping[str, str], ended: float | None, folder: Path) -> bytes:
    """Return what the file of a publication holds; written twice, it stays as it is.

    Args:
        now: the verdicts, as of `verdicts_of`.
        ended: when the last of the executions did (seconds since 1970).
        folder: of the publication.
    """
    stored = _read(folder / NAME)
    before: Any = None
    if stored:
        same = stored["now"]["verdicts"] == now
        before = stored.get("before") if same else stored["now"]
    document = {"now": {"day": day(ended), "verdicts": now}, "before": before}
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def verdicts_of(results: Iterable[ProfileResult]) -> dict[str, str]:
    """Return every verdict in words, with its effect, by `study/profile/claim`."""
    return {
        f"{v.study}/{v.profile}/{v.id}": f"{v.words}, {effect(v)}"
        for result in results
        for v in result.verdicts
    }


def _without(publication: Mapping[str, Any], studies: Set[str]) -> dict[str, Any]:
    """Leave some studies out of what a publication held."""
    if not publication:
        return {}
    verdicts = publication["verdicts"]
    left = {key: says for key, says in verdicts.items() if _parts(key)[0] not in studies}
    return {**publication, "verdicts": left}


def _compared(last: Mapping[str, Any], now: Mapping[str, str]) -> Changes:
    then: Mapping[str, str] = last["verdicts"]
    changes = [
        Change(*_parts(key), then.get(key, ""), now.get(key, ""))
        for key in sorted({*then, *now})
        if then.get(key) != now.get(key)
    ]
    return Changes(last["day"], changes, sum(then.get(key) == found for key, found in now.items()))


def _parts(key: str) -> tuple[str, str, str]:
    study, profile, claim = key.split("/", 2)
    return study, profile, claim


def _read(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    now = document.get("now") if isinstance(document, dict) else None
    return document if isinstance(now, dict) and "verdicts" in now and "day" in now else {}
