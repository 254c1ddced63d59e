"""The ledger: what was declared whenever these confirmation trials were looked at before.

Every execution is kept with what it declared and with the trials that it used. A trial is known by
what it trains, whatever the study is called; so evidence that was seen under another name is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from harness.evidence import Evidence
from harness.formatting import listed
from harness.judge import declared_claims
from harness.store import Look
from harness.study import study_from_dict
from harness.trial import Verdict


@dataclass(frozen=True)
class Ledger:
    """What the history of the evidence says about the claims of today.

    Attributes:
        exploratory: why a claim is younger than its evidence, by claim. Its verdict describes what
            had been seen; it is no test.
        dropped: the claims that were judged on this evidence and are declared no longer.
        notes: whole sentences on what else differs from the first look.
    """

    exploratory: Mapping[str, str] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


_UNREADABLE = (
    "What was declared at an earlier look at these trials cannot be read, so that nobody can tell"
    " what was changed since."
)


@dataclass(frozen=True)
class _Declared:
    """One look, read: the hash of each claim's test, and how many seeds there were."""

    look: Look
    claims: Mapping[str, str]
    seeds: int

    @property
    def day(self) -> str:
        return datetime.fromtimestamp(self.look.at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def read_ledger(evidence: Evidence, verdicts: Sequence[Verdict], looks: Iterable[Look]) -> Ledger:
    """Compare what is declared today with what was declared at each earlier look.

    Args:
        evidence: of the execution that is judged.
        verdicts: its verdicts, which say on which trials each claim rests.
        looks: earlier executions that used some of its confirmation trials, the oldest first.
    """
    read = [_declared(look) for look in looks]
    before = [found for found in read if found is not None]
    lost = [_UNREADABLE] if None in read else []
    if not before:
        return Ledger(notes=tuple(lost))
    now = declared_claims(evidence.plan.study)
    seen = frozenset[str]().union(*(found.look.trials for found in before))
    arms = dict(zip(evidence.trials["trial_id"], evidence.trials["arm"], strict=True))
    exploratory: dict[str, str] = {}
    notes = lost
    for verdict in verdicts:
        trials = frozenset(verdict.trials)
        if {arms[trial] for trial in trials} - {arms[trial] for trial in trials & seen}:
            continue  # of one of its arms nothing had been seen
        met = [found for found in before if found.look.trials & trials]
        why = _younger(verdict.id, now[verdict.id], met[0]) if met else ""
        if why:
            exploratory[verdict.id] = why
        elif met:
            notes += _on_the_way(verdict.id, now[verdict.id], met)
    dropped = _dropped(now, before)
    notes += [*_says_dropped(dropped), *_seeds(evidence, before), *_names(evidence, before)]
    return Ledger(exploratory, dropped, tuple(notes))


def _declared(look: Look) -> _Declared | None:
    try:
        study, _ = study_from_dict(look.declaration)
    except Exception:  # it is damaged or of an older form, which is about that execution alone
        return None
    return _Declared(look, declared_claims(study), study.most_seeds)


def _younger(claim: str, test: str, first: _Declared) -> str:
    """Say how a claim came after the first look at its evidence; empty if it was there."""
    if test in first.claims.values():
        return ""
    how = "changed" if claim in first.claims else "written"
    return f"It was {how} after its evidence had been seen ({first.day})."


def _on_the_way(claim: str, test: str, met: Sequence[_Declared]) -> Iterator[str]:
    """Tell of a claim that is as it was at the first look, but was not so all the time."""
    if any(found.claims.get(claim, test) != test for found in met):
        yield (
            f"The claim {claim} was changed after its evidence had been seen, and changed back"
            " again."
        )
    former = [c for c, declared in met[0].claims.items() if declared == test]
    if claim not in former:
        yield f"The claim {claim} was called {listed(former)} when its evidence was first seen."


def _dropped(now: Mapping[str, str], before: Sequence[_Declared]) -> frozenset[str]:
    """Return the claims that were judged on this evidence and are declared no longer."""
    return frozenset(
        claim
        for found in before
        for claim, test in found.claims.items()
        if claim not in now and test not in now.values()
    )


def _says_dropped(dropped: frozenset[str]) -> Iterator[str]:
    if dropped:
        what = "1 claim was" if len(dropped) == 1 else f"{len(dropped)} claims were"
        yield (
            f"{what} judged on this evidence and {'is' if len(dropped) == 1 else 'are'} no longer"
            f" declared: {listed(sorted(dropped))}. The p-values here are corrected as if"
            f" {'it' if len(dropped) == 1 else 'they'} still stood there."
        )


def _seeds(evidence: Evidence, before: Sequence[_Declared]) -> Iterator[str]:
    """Tell of seeds that came after a look; a smaller profile of the same study is none."""
    execution, today = evidence.execution, evidence.plan.study.most_seeds
    fewer = sorted(
        {
            found.seeds
            for found in before
            if found.seeds < today
            and (found.look.study != execution.study or found.look.profile == execution.profile)
        }
    )
    if fewer:
        counts = listed([str(count) for count in fewer])
        yield (
            f"Seeds were added after a look: the claims were judged with {counts} seeds before, and"
            f" with {today} now. Whoever looks and adds seeds until a verdict pleases errs more"
            " often than alpha says; `seeds` with `start`, `step` and `max` plans looks and pays"
            " for them."
        )


def _names(evidence: Evidence, before: Sequence[_Declared]) -> Iterator[str]:
    others = {found.look.study for found in before} - {evidence.execution.study}
    if others:
        verb = "study" if len(others) == 1 else "studies"
        yield f"The same trials were judged before in the {verb} {listed(sorted(others))}."
