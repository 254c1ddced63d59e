"""The ledger: what was declared whenever these confirmation trials were looked at before.

Every execution is kept with what it declared and with the trials that it used. A trial is known by
what it trains, whatever the study is called; so evidence that was seen under another name is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from harness.evidence import Evidence
from harness.formatting import listed
from harness.integrity.past import Past
from harness.integrity.peeks import peeks_of
from harness.judge import Peek, declared_claims
from harness.judged import Verdict
from harness.store import Look


@dataclass(frozen=True)
class Ledger:
    """What the history of the evidence says about the claims of today.

    Attributes:
        exploratory: why a claim is younger than its evidence, by claim. Its verdict describes what
            had been seen; it is no test.
        dropped: the claims that were judged on this evidence and are declared no longer.
        peeks: the claims whose seeds are not those of the first look, by claim, with what was
            declared then; `harness.judge.judge_after_peeks` says how they are judged.
        notes: whole sentences on what else differs from the first look.
        first: when the evidence was looked at first, in seconds since 1970; None if it was not.
        unknown: why what was looked at before cannot be told; empty where it can.
    """

    exploratory: Mapping[str, str] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()
    peeks: Mapping[str, Peek] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    first: float | None = None
    unknown: str = ""


_UNREADABLE = (
    "What was declared at an earlier look at these trials cannot be read, so that nobody can tell"
    " what was changed since."
)


def read_ledger(evidence: Evidence, verdicts: Sequence[Verdict], looks: Iterable[Look]) -> Ledger:
    """Compare what is declared today with what was declared at each earlier look.

    Args:
        evidence: of the execution that is judged.
        verdicts: its verdicts, which say on which trials each claim rests.
        looks: earlier executions that used some of its confirmation trials, the oldest first.
    """
    before, lost, looks = [], [], list(looks)
    first = min((look.at for look in looks), default=None)
    for look in looks:
        try:
            before.append(Past.of(look))
        except Exception:  # it is damaged or of an older form, which is about that execution alone
            lost = [_UNREADABLE]
    if not before:
        return Ledger(notes=tuple(lost), first=first)
    now = declared_claims(evidence.plan.study)
    arms = dict(zip(evidence.trials["trial_id"], evidence.trials["arm"], strict=True))
    exploratory: dict[str, str] = {}
    notes = lost
    for verdict in verdicts:
        looked = _until_most_was_seen({trial: arms[trial] for trial in verdict.trials}, before)
        test = now[verdict.id]
        mine = {arms[trial] for trial in verdict.trials}
        if looked and not any(_declares(found, test, mine) for found in looked):
            exploratory[verdict.id] = _younger(evidence, verdict.id, test, looked[-1])
        elif looked:
            notes += _on_the_way(verdict.id, test, before)
    peeks, fewer = peeks_of(evidence, verdicts, before)
    exploratory = {**fewer, **exploratory}
    dropped = _dropped(now, before)
    notes += [*_says_dropped(dropped), *_seeds(evidence, now, before), *_names(evidence, before)]
    return Ledger(exploratory, dropped, peeks, tuple(notes), first)


def _declares(past: Past, test: str, arms: Set[str]) -> bool:
    """Tell whether a look had a test, of the arms that it has today under whatever names."""
    return any(
        then == arms or (len(then) == len(arms) and then <= past.look.arms)
        for claim, declared in past.claims.items()
        if declared == test and (then := past.declared.arms[claim])
    )


def _until_most_was_seen(arms: Mapping[str, str], before: Sequence[Past]) -> Sequence[Past]:
    """Return the looks up to the first after which most arms of a claim had been seen.

    A claim on one arm that was seen and one that was not is a test; one more arm beside many that
    were seen makes none of a claim.

    Args:
        arms: the arm of each trial of the claim.
        before: the looks, the oldest first.
    """
    unseen = set(arms.values())
    enough = len(unseen) / 2
    for i, found in enumerate(before):
        unseen -= {arms[trial] for trial in found.look.trials & arms.keys()}
        if len(unseen) < enough:
            return before[: i + 1]
    return ()


def _younger(evidence: Evidence, claim: str, test: str, first: Past) -> str:
    """Say how a claim came after the first look at its evidence."""
    if test in first.claims.values():
        return f"It compared other arms when its evidence was first seen ({first.day})."
    if first.look.study != evidence.execution.study:
        study = first.look.study
        return f"All its evidence had been seen before, in the study {study} ({first.day})."
    how = "changed" if claim in first.claims else "written"
    return f"It was {how} after its evidence had been seen ({first.day})."


def _on_the_way(claim: str, test: str, before: Sequence[Past]) -> Iterator[str]:
    """Tell of a claim that was declared in time, but not as it is now all the time."""
    if any(_is_judged(found, claim) and found.claims[claim] != test for found in before):
        yield (
            f"The claim {claim} was changed after its evidence had been seen, and changed back"
            " again."
        )
    first = next(found for found in before if test in found.claims.values())
    former = [name for name, declared in first.claims.items() if declared == test]
    if claim not in former:
        yield f"The claim {claim} was called {listed(former)} when its evidence was first seen."


def _is_judged(past: Past, claim: str) -> bool:
    """Tell whether an earlier look had a claim of a name, on evidence that is shared.

    Claims of a study that only shares some arms with this one were judged on other evidence.
    """
    return claim in past.claims and past.declared.arms[claim] <= past.look.arms


def _dropped(now: Mapping[str, str], before: Sequence[Past]) -> frozenset[str]:
    """Return the claims that were judged on this evidence and are declared no longer."""
    return frozenset(
        claim
        for found in before
        for claim, test in found.claims.items()
        if claim not in now and test not in now.values() and _is_judged(found, claim)
    )


def _says_dropped(dropped: frozenset[str]) -> Iterator[str]:
    if dropped:
        what = "1 claim was" if len(dropped) == 1 else f"{len(dropped)} claims were"
        yield (
            f"{what} judged on this evidence and {'is' if len(dropped) == 1 else 'are'} no longer"
            f" declared: {listed(sorted(dropped))}. The p-values here are corrected as if"
            f" {'it' if len(dropped) == 1 else 'they'} still stood there."
        )


def _seeds(evidence: Evidence, now: Mapping[str, str], before: Sequence[Past]) -> Iterator[str]:
    """Tell of seeds that came after a look; a smaller profile of the same study is none.

    Nor is another study that shares arms with this one and claims other things of them.
    """
    execution, today = evidence.execution, evidence.plan.study.most_seeds
    fewer = sorted(
        {
            found.declared.seeds
            for found in before
            if found.declared.seeds < today
            and (
                found.look.profile == execution.profile
                if found.look.study == execution.study
                else not set(found.claims.values()).isdisjoint(now.values())
            )
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


def _names(evidence: Evidence, before: Sequence[Past]) -> Iterator[str]:
    others = {found.look.study for found in before} - {evidence.execution.study}
    if others:
        verb = "study" if len(others) == 1 else "studies"
        yield f"The same trials were judged before in the {verb} {listed(sorted(others))}."
