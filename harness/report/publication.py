"""What changed in the verdicts since they were last published."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
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


def changes_since(results: Sequence[ProfileResult], folder: Path) -> Changes | None:
    """Compare results with the publication in a folder; None where there is none to compare with.

    Of verdicts that are just what was published last, what the publication before had is told.
    """
    stored = _read(folder / NAME)
    if not stored:
        return None
    now = _verdicts(results)
    last = stored["now"] if stored["now"]["verdicts"] != now else stored.get("before") or {}
    return _compared(last, now) if last else None


def keep_verdicts(results: Sequence[ProfileResult], folder: Path) -> bytes:
    """Return what the file of a publication holds; written twice, it stays as it is."""
    stored, now = _read(folder / NAME), _verdicts(results)
    ended = [e for r in results if (e := r.evidence.execution.ended) is not None]
    current = {"day": day(max(ended, default=None)), "verdicts": now}
    before: Any = None
    if stored:
        same = stored["now"]["verdicts"] == now
        before = stored.get("before") if same else stored["now"]
    document = {"now": current, "before": before}
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _verdicts(results: Iterable[ProfileResult]) -> dict[str, str]:
    return {
        f"{v.study}/{v.profile}/{v.id}": f"{v.words}, {effect(v)}"
        for result in results
        for v in result.verdicts
    }


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
