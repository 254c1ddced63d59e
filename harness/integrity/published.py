"""What published files showed of the evidence before it was made here.

Whoever has a published file has seen its numbers. A trial that is trained here gives them again, so
that a claim which is written now comes after its evidence, though nothing ran on this machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from harness.evidence import Evidence, RecordSource
from harness.pretrained import own_code
from harness.publish import Published, PublishedFile
from harness.store import Look
from harness.trial import EVIDENCE, Trial, digest


def published_looks(evidence: Evidence, source: RecordSource, published: Published) -> list[Look]:
    """Return the looks at an execution's confirmation trials that published files tell of.

    A file counts if its execution had ended before this one began: as a look of its own, and with
    the looks that it carries.

    Args:
        evidence: of the execution.
        source: of its records.
        published: all files that are at hand.

    Returns:
        The looks, the oldest first; their trials have the ids of this execution's.
    """
    execution = evidence.execution
    earlier = [
        file
        for file in published.with_data(set(evidence.plan.fingerprints.values()))
        if (file.execution.ended or file.execution.started) < execution.started
    ]
    if not earlier:
        return []
    mine = {
        _content(item.record.trial): item.trial_id
        for item in source.assigned_records(execution.id)
        if item.phase in EVIDENCE and item.record is not None
    }
    found = [look for file in earlier for look in _looks_of(file, mine)]
    return sorted(found, key=lambda look: look.at)


def merged(*groups: Iterable[Look]) -> list[Look]:
    """Return the looks of several sources, each once, the oldest first."""
    found = {(look.study, look.profile, look.at): look for looks in groups for look in looks}
    return sorted(found.values(), key=lambda look: look.at)


def _looks_of(file: PublishedFile, mine: Mapping[str, str]) -> Iterable[Look]:
    """Yield the looks that a file tells of, as far as they showed trials of this execution."""
    here: dict[str, str] = {}  # the trial of this execution by the id that the file has for it
    arms: dict[str, str] = {}
    for item in file.items:
        if item.phase in EVIDENCE and item.record is not None:
            content = _content(item.record.trial)
            if content in mine:
                here[item.trial_id], arms[item.trial_id] = mine[content], item.arm
    if not here:
        return
    for look in file.looks_before or ():
        trials = look.trials & here.keys()
        if trials:
            yield replace(look, trials=frozenset(here[id_] for id_ in trials))
    yield Look.at_execution(file.execution, frozenset(here.values()), frozenset(arms.values()))


def _content(trial: Trial) -> str:
    """Digest what a trial trains, on which data, by which seed.

    Not by which version of the harness, for what another one published has been seen as well; the
    user's own code is a part of what is trained, and what identifies it is known with the rest.
    """
    if own_code(trial.workload, trial.probes):
        return trial.id
    return digest([trial.workload, trial.seed, trial.data_fingerprint])
