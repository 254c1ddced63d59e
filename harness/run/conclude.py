"""From records to verdicts and a report, training nothing."""

from __future__ import annotations

from pathlib import Path

from harness.evidence import gather
from harness.judge import claim_declarations, judge
from harness.report import build_report
from harness.store import Store
from harness.trial import Verdict


def conclude(store: Store, execution: int, reports: Path) -> tuple[list[Verdict], Path]:
    """Judge the claims of an execution and write its report; training nothing."""
    found = next(item for item in store.executions() if item.id == execution)
    evidence = gather(store, found)
    declarations = claim_declarations(evidence)
    changed = store.changed_claims(found.study, found.profile, declarations)
    verdicts = judge(evidence, sorted(changed))
    decided = {v.id: declarations[v.id] for v in verdicts if v.verdict != "incomplete"}
    store.mark_judged(found.study, found.profile, decided)
    lost = store.lost_attempts(evidence.trials["trial_id"])
    return verdicts, build_report(evidence, verdicts, lost, reports / found.study)
