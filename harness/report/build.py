"""Write the report of one study: a page, the same as Markdown, and its figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.evidence import Evidence
from harness.trial import Verdict


def build_report(
    evidence: Evidence,
    verdicts: Sequence[Verdict],
    lost: Sequence[tuple[str, int, str]],
    folder: Path,
) -> Path:
    """Write `index.html`, `report.md` and the figures of a study; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder
