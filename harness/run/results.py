"""All results at hand: those of this machine's own runs, and those that were published."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from harness.errors import InputError, nearest
from harness.evidence import Evidence, gather
from harness.formatting import plural, why
from harness.integrity import changed_claims, merged, provenance_of, published_looks, read_ledger
from harness.judge import declared_claims, judge, judge_after_peeks
from harness.judged import Verdict
from harness.plan import SearchSpace
from harness.publish import FOLDER, Published, PublishedFile
from harness.report import ProfileResult
from harness.run.outcome import Fault
from harness.search import Tried
from harness.store import DATABASE, Execution, Look, Store, StoreError, open_store
from harness.trial import Phase, State

NOT_WRITTEN = (
    "The records were published by a version of harness that did not write down what had been"
    " looked at before."
)
TAKEN_OUT = (
    "Some of its trials had been recorded before, and the execution that trained them is no longer"
    " in the database: what was looked at then cannot be told."
)

TIMED_BEFORE = (
    "Timing blocks of this study were measured before, in {} that timed other arms, in another way,"
    " with other code or on another machine. Whoever measures until a verdict pleases errs more"
    " often than alpha says."
)


@dataclass(frozen=True)
class ShownExecution:
    """The execution that stands for one profile of a study, and where its records lie."""

    execution: Execution
    source: Store | PublishedFile
    published: bool


class Results:
    """The results of one folder: its own store, and the files under its `published`.

    Of a study and profile that was run here, its own newest execution is shown; a published file
    fills in where nothing was run. What cannot be judged is left out, so that no study depends on
    another one: `faults` says what and why.
    """

    def __init__(self, store: Store | None, published: Published | None = None):
        self.store = store
        self.published = published or Published()
        self._faults: list[Fault] = []

    @property
    def faults(self) -> list[Fault]:
        """What could not be read or judged so far."""
        broken = [Fault(*error.names, str(error), error) for error in self.published.errors]
        return [*broken, *self._faults]

    def entries(self, studies: Collection[str] | None = None) -> list[ShownExecution]:
        """Return what stands for each study and profile, by name; `studies` names those wanted."""
        found = {
            (file.execution.study, file.execution.profile): ShownExecution(
                file.execution, file, published=True
            )
            for file in self.published.of(studies)
        }
        if self.store is not None:
            for execution in self.store.latest_executions():
                key = (execution.study, execution.profile)
                found[key] = ShownExecution(execution, self.store, published=False)
        return [found[key] for key in sorted(found) if studies is None or key[0] in studies]

    @property
    def own(self) -> set[str]:
        """The studies that were run here."""
        here = self.store.latest_executions() if self.store is not None else ()
        return {execution.study for execution in here}

    @property
    def studies(self) -> set[str]:
        """All studies, run here or published."""
        return self.own | self.published.studies

    def named(self, studies: Iterable[str] | None = None) -> list[str]:
        """Return the studies that are named, or all, in the order of their names.

        Raises:
            InputError: if there are no results of one that is named.
        """
        return known_studies(self.studies, studies)

    def judged(self, studies: Collection[str] | None = None) -> list[ProfileResult]:
        """Judge each entry from its records; nothing is trained."""
        found = []
        for entry in self.entries(studies):
            execution = entry.execution
            try:
                found.append(self._judged(entry))
            except Exception as error:  # whatever it is, it is about this study alone
                says = f"cannot be judged ({why(error)})"
                self._faults.append(Fault(execution.study, execution.profile, says, error))
        return found

    def faults_of(self, studies: Collection[str]) -> list[Fault]:
        """Return the faults of some studies."""
        return [fault for fault in self.faults if fault.study in studies]

    def _judged(self, entry: ShownExecution) -> ProfileResult:
        """Judge the claims of an execution, and note that they have met their evidence."""
        execution = entry.execution
        evidence = gather(entry.source, execution)
        provenance = provenance_of(evidence, published=entry.published)
        declared = declared_claims(evidence.plan.study)
        verdicts = judge(evidence)
        changed = self._changed(entry, verdicts, declared) | provenance.changed
        ledger = read_ledger(evidence, verdicts, self._looks(evidence, entry.source))
        if isinstance(entry.source, PublishedFile) and entry.source.looks_before is None:
            ledger = replace(ledger, unknown=NOT_WRITTEN)
        elif isinstance(entry.source, Store) and entry.source.without_origin(execution.id):
            ledger = replace(ledger, notes=(*ledger.notes, TAKEN_OUT))
        if others := entry.source.timed_otherwise(execution.id):
            note = TIMED_BEFORE.format(plural(others, "earlier execution"))
            ledger = replace(ledger, notes=(*ledger.notes, note))
        if ledger.dropped or ledger.peeks:
            verdicts = judge_after_peeks(evidence, len(ledger.dropped), ledger.peeks)
        verdicts = [
            replace(
                verdict,
                changed_after_evidence=verdict.id in changed,
                exploratory=ledger.exploratory.get(verdict.id, verdict.exploratory),
            )
            for verdict in verdicts
        ]
        if self.store is not None and not entry.published:
            decided = {v.id: declared[v.id] for v in verdicts if v.verdict != "incomplete"}
            try:
                self.store.mark_judged(execution.study, execution.profile, decided)
            except StoreError as error:  # such as a full disk; the verdicts stand
                says = f"when its claims met their evidence could not be noted ({error})"
                self._faults.append(Fault(execution.study, execution.profile, says, error))
        lost = entry.source.lost_attempts(evidence.trials["trial_id"])
        return ProfileResult(evidence, verdicts, lost, replace(provenance, ledger=ledger))

    def _changed(
        self, entry: ShownExecution, verdicts: Sequence[Verdict], declared: Mapping[str, str]
    ) -> set[str]:
        """Return the claims that were another when what they rest on now was first judged.

        A claim that was changed and asked anew, of trials that began later, is not among them.
        """
        execution = entry.execution
        history = self._history(execution.study, execution.profile)
        if not (suspects := changed_claims(history, declared)):
            return set()
        began = {
            item.trial_id: item.record.started
            for item in entry.source.assigned_records(execution.id)
            if item.record is not None
        }
        found = set()
        for verdict in verdicts:
            first = min((began[id_] for id_ in verdict.trials if id_ in began), default=0.0)
            seen = [met for met in history if met[0] == verdict.id and met[2] >= first]
            if verdict.id in suspects and changed_claims(seen, {verdict.id: declared[verdict.id]}):
                found.add(verdict.id)
        return found

    def _looks(self, evidence: Evidence, source: Store | PublishedFile) -> list[Look]:
        """Return the earlier looks at the confirmation trials, here and in published files."""
        published = published_looks(evidence, source, self.published)
        return merged(published, source.looks(evidence.execution.id))

    def _history(self, study: str, profile: str) -> list[tuple[str, str, float]]:
        """Return when each claim met evidence, here and where the records were published."""
        here = self.store.judged(study, profile) if self.store is not None else []
        files = [f for f in self.published.of({study}) if f.execution.profile == profile]
        return [*here, *(met for file in files for met in file.judged)]


def open_results(folder: Path, about: str = "") -> Results:
    """Open the results of a folder, to be read.

    Args:
        folder: of the results.
        about: where given, published files that do not have this text are left out.

    Raises:
        StoreError: if there are none, or they cannot be used.
    """
    published = Published(folder / FOLDER)
    published = published.mentioning(about) if about else published
    here = published or published.errors or (about and (folder / FOLDER).is_dir())
    if not (folder / DATABASE).is_file() and here:
        return Results(None, published)
    return Results(open_store(folder, create=False), published)


def open_any(folder: Path) -> Results:
    """Open a folder of results, or one that holds published files and nothing else.

    Raises:
        StoreError: if it is neither, or cannot be used.
    """
    has_database = (folder / DATABASE).is_file() or (folder / FOLDER).is_dir()
    published = Published(None if has_database else folder)
    return Results(None, published) if published else open_results(folder)


def known_studies(known: Collection[str], named: Iterable[str] | None = None) -> list[str]:
    """Return the studies that are named (by name or file), or all that are known.

    Raises:
        InputError: if one is not known.
    """
    names = {Path(name).stem for name in named or ()} or set(known)
    for name in sorted(names - set(known)):
        raise InputError(f"there are no results of a study '{name}'{nearest(name, known)}")
    return sorted(names)


# --- searches ----------------------------------------------------------------------------------
def searches(evidence: Evidence) -> Iterator[tuple[str, SearchSpace, list[Tried]]]:
    """Yield each searched arm, its space, and its candidates in the order of asking.

    The value of a candidate is the mean over its search seeds, and absent if one has none.
    """
    trials = evidence.trials
    rows = trials[trials["phase"] == Phase.SEARCH.value]
    for arm in evidence.plan.arms:
        space = evidence.plan.space(arm)
        own = rows[rows["arm"] == arm.name]
        if space is None or own.empty:
            continue
        columns = [f"parameter.{path}" for path in space.dimensions]
        asked = [column for column in columns if column in own]
        groups = own.groupby(["candidate", *asked], sort=False, dropna=False)
        yield arm.name, space, [_tried(group, space, asked) for _, group in groups]


def _tried(group: pd.DataFrame, space: SearchSpace, columns: list[str]) -> Tried:
    first = group.iloc[0]
    parameters = {
        column.removeprefix("parameter."): _plain(first[column])
        for column in columns
        if pd.notna(first[column])
    }
    name = space.metric.name
    values = group[name] if name in group else pd.Series([float("nan")])
    value = None if values.isna().any() else float(values.mean())
    pruned = bool((group["state"] == State.PRUNED.value).any())
    return Tried(parameters, value, pruned=pruned)


def _plain(value: object) -> object:
    return value.item() if hasattr(value, "item") else value
