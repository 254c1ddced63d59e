"""Which claims have other seeds than when their evidence was looked at first."""

from __future__ import annotations

from collections.abc import Sequence

from harness.evidence import Evidence
from harness.integrity.past import Past
from harness.judge import Peek, declared_claims
from harness.judged import Verdict
from harness.study.timing import claims_on_blocks


def peeks_of(
    evidence: Evidence, verdicts: Sequence[Verdict], before: Sequence[Past]
) -> tuple[dict[str, Peek], dict[str, str]]:
    """Find the claims whose number of seeds, or whose looks, were changed after a look.

    Args:
        evidence: of the execution that is judged.
        verdicts: its verdicts, which say on which trials each claim rests.
        before: the earlier looks, the oldest first.

    Returns:
        What was declared at the first look, and the looks since, by claim; and why a claim is
        exploratory because fewer seeds count than then.
    """
    tests, today = declared_claims(evidence.plan.study), evidence.plan.study.looks
    arms = dict(zip(evidence.trials["trial_id"], evidence.trials["arm"], strict=True))
    peeks: dict[str, Peek] = {}
    fewer: dict[str, str] = {}
    on_blocks = claims_on_blocks(evidence.plan.study)
    for verdict in verdicts:
        if verdict.id in on_blocks:  # whatever the seeds are
            continue
        mine = {trial: arms[trial] for trial in verdict.trials}
        looked = [
            past
            for past in before
            if tests[verdict.id] in past.claims.values()
            and {mine[trial] for trial in past.look.trials & mine.keys()} == set(mine.values())
            and _is_look(past, evidence)
        ]
        if not looked or looked[0].declared.looks == today:
            continue
        first = looked[0].declared
        if first.seeds > today[-1]:
            fewer[verdict.id] = (
                f"Its evidence was first seen with {first.seeds} seeds ({looked[0].day}), and"
                f" {today[-1]} count now."
            )
            continue
        known = {seeds for past in looked for seeds in past.declared.looks} | set(today)
        added = sorted(seeds for seeds in known if first.seeds < seeds <= today[-1])
        peeks[verdict.id] = Peek(first.as_written, tuple(added))
    return peeks, fewer


def _is_look(past: Past, evidence: Evidence) -> bool:
    """Tell whether an earlier execution was a look that could have led to other seeds.

    One that was interrupted gave no verdict. A profile of the same study is none if what is
    declared today was declared beside it; what older versions ran does not tell.
    """
    execution, look = evidence.execution, past.look
    if not look.judged:
        return False
    if look.study != execution.study or look.profile == execution.profile:
        return True
    known = look.profiles
    return bool(known) and list(known.get(execution.profile, ())) != list(evidence.plan.study.looks)
