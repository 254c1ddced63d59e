"""Do results hold? Verdicts from the evidence again, digests again, and trials trained again.

Everything is computed from the records; nothing that a page says is believed.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import InputError
from harness.formatting import listed_some, plural
from harness.integrity import (
    Registration,
    deviations,
    digest_of,
    evidence_digest,
    read_seal,
)
from harness.pretrained import own_code
from harness.publish import FOLDER, PublishedFile
from harness.run.replay import FARTHEST, spread, train_again
from harness.run.reports import edited_files
from harness.run.results import Results, ShownExecution
from harness.store import AssignedRecord, Store, StoreError
from harness.tasks import needed
from harness.trial import Phase, State, trained_elsewhere

if TYPE_CHECKING:
    from harness.report import ProfileResult

PAGES = ("index.html", "report.md")


@dataclass(frozen=True)
class Finding:
    """One thing that was verified, in a sentence, and whether it differs from what it should be."""

    study: str
    says: str
    differs: bool = False


def verify(at_hand: Results, wanted: Sequence[str], reports: Path) -> Iterator[Finding]:
    """Judge everything again, and compare published files, pages and digests with the records.

    Args:
        at_hand: the results.
        wanted: names of studies.
        reports: the folder of the pages; what is not there is not compared.
    """
    if at_hand.store is not None:
        try:
            at_hand.store.check()
        except StoreError as error:
            yield Finding("", str(error), differs=True)
    shown = at_hand.judged(wanted)
    published = Results(None, at_hand.published)
    files = published.judged(wanted) if at_hand.store is not None else shown
    faults = [*at_hand.faults_of(wanted), *published.faults_of(wanted)]
    for says, fault in {str(fault): fault for fault in faults}.items():
        yield Finding(fault.study, says, differs=True)
    for result in shown:
        yield from _profile(result)
    local = {(result.study, result.profile): result for result in shown}
    for result in files if at_hand.store is not None else ():
        yield from _published(result, local.get((result.study, result.profile)))
    for study in wanted:
        yield from _pages(study, shown, reports / study, at_hand.store)
        yield from _pages(study, files, reports / FOLDER / study, None)


def kept_to(registration: Registration, shown: Iterable[ProfileResult]) -> Iterator[Finding]:
    """Compare what was run with a registered plan.

    Raises:
        InputError: if nothing was run of its study and profile.
    """
    names = tuple(str(registration.document.get(name)) for name in ("study", "profile"))
    mine = [result for result in shown if (result.study, result.profile) == names]
    if not mine:
        raise InputError(
            f"'{registration.file}' is the plan of the study {names[0]}, profile {names[1]}, of"
            " which there are no results among those that are verified"
        )
    for result in mine:
        found = deviations(registration, result.evidence.plan)
        where = f"{result.study} ({result.profile})"
        for says in found:
            yield Finding(result.study, f"{where}: registered plan: {says}", differs=True)
        if not found:
            yield Finding(result.study, f"{where}: the run kept to the plan {registration.file}")


def _profile(result: ProfileResult) -> Iterator[Finding]:
    """Say what the records give, and whether the plan has the hash that was noted."""
    evidence, where = result.evidence, f"{result.study} ({result.profile})"
    verdicts = plural(len(result.verdicts), "verdict")
    trials = plural(len(evidence.confirmation), "confirmation trial")
    mark = evidence_digest(evidence)
    yield Finding(result.study, f"{where}: {verdicts} of {trials}, evidence {mark}")
    if evidence.plan.hash != evidence.execution.plan_hash:
        says = f"the declaration gives the plan {evidence.plan.hash}, and"
        noted = evidence.execution.plan_hash
        yield Finding(result.study, f"{where}: {says} {noted} was noted", differs=True)


def _published(result: ProfileResult, local: ProfileResult | None) -> Iterator[Finding]:
    """Compare a published file with the records that it was written from, if they are here."""
    where = f"{result.study} ({result.profile}): its published file"
    if local is None:
        return
    if local.evidence.execution.started != result.evidence.execution.started:
        yield Finding(result.study, f"{where} is of another execution than the newest one here")
        return
    mine, theirs = (digest_of([(r.evidence, r.verdicts)]) for r in (local, result))
    if mine[0] != theirs[0]:
        yield Finding(result.study, f"{where} holds other records than these", differs=True)
    elif mine[1] != theirs[1]:
        yield Finding(result.study, f"{where} gives other verdicts than these", differs=True)
    else:
        yield Finding(result.study, f"{where} holds the same records and gives the same verdicts")


def _pages(
    study: str, judged: Sequence[ProfileResult], folder: Path, store: Store | None
) -> Iterator[Finding]:
    """Compare the pages in a folder with what they were made from."""
    mine = [result for result in judged if result.study == study]
    if not mine:
        return
    evidence, verdicts = digest_of([(r.evidence, r.verdicts) for r in mine])
    edited = edited_files(store, folder) if store is not None else []
    for name in edited:
        says = f"{folder / name} is not as it was written"
        yield Finding(study, f"{study}: {says}", differs=True)
    for name in PAGES:
        file = folder / name
        if not file.is_file() or name in edited:
            continue
        seal = read_seal(file.read_text(encoding="utf-8", errors="replace"))
        if seal is None:
            yield Finding(study, f"{study}: {file} has no digest at its end", differs=True)
        elif not seal.whole:
            yield Finding(study, f"{study}: {file} was edited", differs=True)
        elif seal.evidence != evidence:
            says = f"{file} was made from other records than these"
            yield Finding(study, f"{study}: {says}", differs=True)
        elif seal.verdicts != verdicts:
            says = f"{file} has other verdicts than the records give"
            yield Finding(study, f"{study}: {says}", differs=True)
        else:
            yield Finding(study, f"{study}: {file} is as it was written, and of these records")


# --- trained again --------------------------------------------------------------------------------
Drawn = tuple[ShownExecution, AssignedRecord]


def replay(
    at_hand: Results, wanted: Sequence[str], count: int, root: Path | None
) -> Iterator[Finding]:
    """Train confirmation trials again that are drawn by lot, and compare them with their records.

    Args:
        at_hand: the results.
        wanted: names of studies.
        count: how many trials; all, if there are fewer.
        root: the folder of data files; None for the usual one.

    Raises:
        InputError: if there is no trial that can be trained again.
        DataMissingError: if the data of one are not at hand.
    """
    pool, refused = _pool(at_hand.entries(wanted))
    if not pool:
        reasons = listed_some(sorted(set(refused.values()))) or "there are no complete ones"
        raise InputError(f"no confirmation trial can be trained again: {reasons}")
    for reason in sorted(set(refused.values())):
        left = plural(list(refused.values()).count(reason), "trial")
        yield Finding("", f"{left} cannot be trained again here: {reason}")
    for entry, item in random.SystemRandom().sample(pool, min(count, len(pool))):
        yield _trained_again(entry, item, at_hand, root)


def _pool(entries: Iterable[ShownExecution]) -> tuple[list[Drawn], Mapping[str, str]]:
    """Return the trials that can be trained again, and why others cannot, by their ids."""
    pool: dict[str, Drawn] = {}
    refused: dict[str, str] = {}
    for entry in entries:
        for item in entry.source.assigned_records(entry.execution.id):
            ended = item.record is not None and item.record.state in (
                State.COMPLETE, State.DIVERGED,
            )  # fmt: skip
            if item.phase is not Phase.CONFIRMATION or not ended:
                continue
            reason = _why_not(entry, item)
            if reason:
                refused[item.trial_id] = reason
            else:
                pool.setdefault(item.trial_id, (entry, item))
    return list(pool.values()), refused


def _why_not(entry: ShownExecution, item: AssignedRecord) -> str:
    assert item.record is not None
    trial = item.record.trial
    if trained_elsewhere(trial.workload):
        return "other code trained them"
    if trial.workers > 1:
        return "several workers trained them together, and this is one process"
    if not isinstance(entry.source, PublishedFile):
        return ""
    if ":" in trial.workload["data"]["name"] or own_code(trial.workload, trial.probes):
        return "they name code of their own, and nothing that a published file names is run"
    if needed(trial.workload):
        return "they use products of stages, which published files do not hold"
    return ""


def _trained_again(
    entry: ShownExecution, item: AssignedRecord, at_hand: Results, root: Path | None
) -> Finding:
    assert item.record is not None
    study = entry.execution.study
    found = train_again(item.record, at_hand.store, root)
    which = f"trial {item.trial_id} ({item.arm}, seed {item.seed})"
    where = f"{study} ({entry.execution.profile}): {which}"
    if found.identical:
        return Finding(study, f"{where}: trained again, equal bit for bit")
    values: dict[str, list[float]] = {}
    for other in entry.source.assigned_records(entry.execution.id):
        if other.arm == item.arm and other.phase is item.phase and other.record is not None:
            for name, value in other.record.metrics.items():
                values.setdefault(name, []).append(value)
    deviations_ = {name: spread(numbers) for name, numbers in values.items()}
    if found.differs_in and found.within(deviations_, item.record):
        return Finding(
            study,
            f"{where}: trained again, not equal, but every metric is within {FARTHEST:g} standard"
            f" deviations of its arm's seeds, which is what another environment allows"
            f" ({listed_some(found.differs_in)})",
        )
    numbers = [f"{name} {then} recorded, {now} now" for name, (then, now) in found.metrics.items()]
    said = listed_some(numbers) or "its learning curve, or what its probes kept"
    why = f" ({listed_some(found.differs_in)})" if found.differs_in else ""
    return Finding(study, f"{where}: trained again, differs{why}: {said}", differs=True)
