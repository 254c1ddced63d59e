"""The checks, each with what it found in a sentence or more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pandas import DataFrame

from harness.evidence import Evidence
from harness.formatting import listed_some, plural, settings_text
from harness.integrity.learnt import alike_without_learning
from harness.integrity.lone_seeds import lone_seeds
from harness.integrity.provenance import Provenance
from harness.integrity.registration import told_of
from harness.integrity.timing import disturbances
from harness.integrity.tuning import answers_that_move, nothing_beyond, optima_at_edges
from harness.judge.scope import unlike
from harness.judged import FEWEST, Verdict
from harness.plan.budgets import Budget, budgets
from harness.study.arm_checks import SAME_ARM, same_arms
from harness.trial import TIMED, Phase, State

FINE, NOTED, UNKNOWN = "fine", "noted", "not checked"
_RESULTS = ("test.", "validation.", "train.", "probe.")
Lost = Sequence[tuple[str, int, str]]


@dataclass(frozen=True)
class Check:
    """One thing that was looked for.

    `outcome` is "fine", "noted" (something weakens the evidence, or is not as planned) or "not
    checked"; `says` holds whole sentences.
    """

    id: str
    title: str
    outcome: str
    says: tuple[str, ...]


def check(
    evidence: Evidence, verdicts: Sequence[Verdict], lost: Lost, provenance: Provenance
) -> list[Check]:
    """Look for everything that could weaken the verdicts of an execution."""
    return [
        *_imported(evidence),
        *_registered(evidence, provenance),
        _plan_hash(evidence),
        _study_file(evidence, provenance),
        _claims(verdicts, provenance),
        _execution(evidence),
        _missing(evidence),
        _outcomes(evidence),
        _lost(lost),
        _budgets(evidence),
        *_tuning(evidence, verdicts),
        _equal_chances(evidence, verdicts),
        *_first_seed(evidence),
        _seeds(verdicts),
        _lone_seeds(evidence),
        *_timing(evidence),
        *_learnt(evidence),
        _duplicates(evidence),
        _same_arms(evidence),
    ]


def _made(id_: str, title: str, noted: Iterable[str], otherwise: str) -> Check:
    found = tuple(noted)
    return Check(id_, title, NOTED if found else FINE, found or (otherwise,))


def _imported(evidence: Evidence) -> list[Check]:
    """Say of runs that other code logged what nobody can know of them here."""
    found = evidence.execution.context.get("imported")
    if not found:
        return []
    source = found.get("from") or f"the MLflow experiment “{found.get('experiment')}”"
    unknown = (
        f"The runs were trained elsewhere and imported from {source}: how they were tuned, what"
        " their test split was, and whether the claims were written before they ran, cannot be told"
        " here."
    )
    says = (unknown, *(str(note) for note in found.get("notes", ())))
    return [Check("imported", "Trained elsewhere", NOTED, says)]


def _registered(evidence: Evidence, provenance: Provenance) -> list[Check]:
    """Say whether the run kept to the plan that was registered before it, if one was."""
    context = evidence.execution.context
    noted = told_of(context, evidence.plan, provenance.ledger.first)
    if noted is None:
        return []
    document = context["registered"].get("document", {})
    fine = (
        f"The run kept to the plan that was registered on {document.get('registered')} (digest"
        f" {document.get('digest')})."
    )
    return [_made("registered", "Registered plan", noted, fine)]


def _first_seed(evidence: Evidence) -> list[Check]:
    """Say where seeds begin, if not at 0: what others showed is no part of this evidence."""
    first = evidence.plan.study.first_seed
    if not first:
        return []
    says = (
        f"Confirmation seeds begin at {first:,}, as declared. Seeds below may have been looked at"
        " before claims were written; who tries beginnings until a claim holds is not found here."
    )
    return [Check("first-seed", "Seeds begin later", NOTED, (says,))]


def _plan_hash(evidence: Evidence) -> Check:
    then, now = evidence.execution.plan_hash, evidence.plan.hash
    noted = [f"The declaration, read again, gives another hash ({now}) than the plan's ({then})."]
    fine = f"The declaration, read again, gives the hash that was noted before the run ({then})."
    return _made("plan-hash", "Plan", noted if then != now else (), fine)


def _study_file(evidence: Evidence, provenance: Provenance) -> Check:
    title = "Study file"
    if not provenance.file:
        return Check("study-file", title, UNKNOWN, ("The study file is not at hand.",))
    noted = []
    if provenance.trouble:
        noted = [f"{provenance.file} cannot be read as it was then: {provenance.trouble}."]
    elif provenance.study_changed:
        noted = [
            f"The study file has changed since: {provenance.file} gives the plan"
            f" {provenance.plan_hash} today, and {evidence.plan.hash} was run. What is shown here"
            " is what was run."
        ]
    return _made("study-file", title, noted, f"{provenance.file} declares the same today.")


def _claims(verdicts: Sequence[Verdict], provenance: Provenance) -> Check:
    changed = [verdict.id for verdict in verdicts if verdict.changed_after_evidence]
    noted = []
    if len(changed) == 1:
        noted.append(f"The claim {changed[0]} was changed after its evidence had been seen.")
    elif changed:
        noted.append(
            f"{len(changed)} claims were changed after their evidence had been seen:"
            f" {listed_some(changed)}."
        )
    if provenance.changed & set(changed):
        noted.append(f"{provenance.file} says otherwise today; what was declared then is judged.")
    by_reason: dict[str, list[str]] = {}
    for verdict in verdicts:
        if verdict.exploratory:
            by_reason.setdefault(verdict.exploratory, []).append(verdict.id)
    noted += [f"Exploratory: {listed_some(ids)}. {reason}" for reason, ids in by_reason.items()]
    noted += provenance.ledger.notes
    unknown = provenance.ledger.unknown
    if unknown:
        outcome = NOTED if noted else UNKNOWN
        return Check("claims-changed", "Claims", outcome, (*noted, unknown))
    fine = "No claim was changed after its evidence had been seen."
    return _made("claims-changed", "Claims", noted, fine)


def _execution(evidence: Evidence) -> Check:
    status, noted = evidence.execution.status, []
    if status != "finished":
        noted.append(f"The execution is {status}, not finished.")
    if evidence.plan.overrides:
        noted.append(
            f"Settings were overridden for this run: {settings_text(evidence.plan.overrides)}."
        )
    fine = "The execution finished, and no setting was overridden."
    return _made("execution", "Execution", noted, fine)


def _missing(evidence: Evidence) -> Check:
    """Count by phase, for a phase may have more trials than are sure to be needed."""
    counts, phases = evidence.plan.trial_counts(), evidence.trials["phase"]
    absent = sum(max(0, n - int((phases == phase).sum())) for phase, n in counts.items())
    missing = absent + int((evidence.trials["state"] == "missing").sum())
    planned = len(evidence.trials) + absent
    noted = [f"{missing:,} of {planned:,} planned trials have no record."] if missing else []
    fine = f"Every one of {planned:,} planned trials has a record."
    return _made("records-missing", "Missing records", noted, fine)


def _outcomes(evidence: Evidence) -> Check:
    states = Counter(evidence.trials["state"])
    noted = [
        f"{plural(states[state.value], 'trial')} {state.value}; see “What did not complete”."
        for state in (State.DIVERGED, State.FAILED)
        if states[state.value]
    ]
    return _made("outcomes", "Diverged, failed", noted, "No trial diverged or failed.")


def _lost(lost: Lost) -> Check:
    noted = []
    if lost:
        verb = "was" if len(lost) == 1 else "were"
        causes = Counter(cause.partition(":")[0] for _, _, cause in lost)
        told = ", ".join(f"{count} {cause}" for cause, count in causes.most_common())
        noted = [f"{plural(len(lost), 'attempt')} {verb} lost: {told}."]
    return _made("attempts-lost", "Lost attempts", noted, "No attempt was lost.")


@dataclass(frozen=True)
class Spending:
    """The search of one arm: its planned budget, and what it used of it.

    `room` is the number of epochs that may stay unspent of a budget in epochs, because another
    candidate might not have fitted.
    """

    planned: Budget
    used: Budget
    room: int


def spending(evidence: Evidence) -> dict[str, Spending]:
    """Return what the search of each arm spent, by arm, in planned order.

    Arms without a search are left out. A trial that several arms share counts for each of them.
    """
    trials = evidence.trials
    searched = trials[trials["phase"] == Phase.SEARCH.value]
    found = {}
    for name, planned in budgets(evidence.plan).items():
        mine = searched[(searched["arm"] == name) & (searched["state"] != "missing")]
        epochs = mine["epochs_spent"].sum() if len(mine) else 0
        arm = next(arm for arm in evidence.plan.all_arms if arm.name == name)
        space, search = evidence.plan.space(arm), evidence.plan.study.search
        room = space.cost * search.repeats if space is not None and search is not None else 0
        found[name] = Spending(planned, Budget(mine["candidate"].nunique(), int(epochs)), room)
    return found


def _budgets(evidence: Evidence) -> Check:
    title, search = "Equal budgets", evidence.plan.study.search
    if search is None:
        return Check("budgets", title, FINE, ("Nothing was searched: settings are fixed.",))
    found = spending(evidence)
    noted = _unequal(found, in_epochs=search.epochs is not None)
    says = list(noted)
    if found and not noted:
        spent = sorted({arm.used.epochs for arm in found.values()})
        text = plural(spent[0], "epoch")
        if len(spent) > 1:
            text = f"{spent[0]:,} to {spent[-1]:,} epochs, as far as whole candidates fit"
        says.append(f"The search of every searched arm spent {text}.")
    fixed = [arm.name for arm in evidence.plan.arms if arm.name not in found]
    if fixed:  # as declared, so that it is said but is no flaw
        says.append(
            f"Not searched, for all searched settings are fixed there: {listed_some(fixed)}."
        )
    return Check("budgets", title, NOTED if noted else FINE, tuple(says))


def _unequal(found: Mapping[str, Spending], *, in_epochs: bool) -> list[str]:
    """Say which searches used less than they were given, or other than the rest."""
    noted = []
    short = [
        f"{name} ({arm.used.candidates} of {arm.planned.candidates})"
        for name, arm in found.items()
        if arm.used.candidates < arm.planned.candidates
    ]
    if short:
        noted.append(f"Fewer candidates than planned were tried for {listed_some(short)}.")
    usual = Counter(arm.used.epochs for arm in found.values()).most_common(1)
    for name, arm in found.items() if in_epochs else ():
        if arm.used.epochs + arm.room < arm.planned.epochs:
            noted.append(
                f"The search of {name} spent {arm.used.epochs:,} of {arm.planned.epochs:,} epochs."
            )
    other = [
        f"{name} ({arm.used.epochs:,})"
        for name, arm in found.items()
        if not in_epochs and arm.used.epochs != usual[0][0]
    ]
    if other:
        noted.append(
            f"Searches differ in the epochs they spent: {usual[0][0]:,} for most arms, but"
            f" {listed_some(other)}."
        )
    return noted


def _tuning(evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Check]:
    if evidence.plan.study.search is None:
        return []
    noted = [
        *optima_at_edges(evidence),
        *nothing_beyond(evidence),
        *answers_that_move(evidence, verdicts),
    ]
    fine = "No search chose a value at the edge of what it was given, and none of the comparisons"
    fine += " that are claimed turns round, or moves by more than half the width of its interval,"
    fine += " between half and all of its candidates."
    return [_made("tuning", "Searches", noted, fine)]


def _equal_chances(evidence: Evidence, verdicts: Sequence[Verdict]) -> Check:
    """Look for arms that differ in size, updates or search where that is not what is compared."""
    judged = {verdict.id for verdict in verdicts if verdict.verdict != "incomplete"}
    by_text: dict[str, list[str]] = {}
    for claim in evidence.plan.study.claims:
        if claim.id in judged:
            for text in unlike(claim.tests, evidence):
                by_text.setdefault(text, []).append(claim.id)
    noted = [
        f"The arms compared differ in {text}, which what is compared does not explain:"
        f" {listed_some(ids)}."
        for text, ids in by_text.items()
    ]
    fine = "No claim compares arms that differ, unexplained, in parameters, updates or search."
    return _made("equal-chances", "Equal chances", noted, fine)


def _seeds(verdicts: Sequence[Verdict]) -> Check:
    decided = [v for v in verdicts if v.verdict in ("supported", "refuted")]
    few = [f"{v.id} ({v.seeds})" for v in decided if v.seeds < FEWEST]
    noted = [f"Decided by fewer than {FEWEST} seeds: {listed_some(few)}."] if few else []
    few = [f"{v.id} ({v.searches})" for v in decided if 1 < v.searches < FEWEST]
    if few:
        noted.append(f"Decided by fewer than {FEWEST} repeated searches: {listed_some(few)}.")
    fine = f"No claim is decided by fewer than {FEWEST} confirmation seeds."
    return _made("seeds", "Seeds", noted, fine)


def _lone_seeds(evidence: Evidence) -> Check:
    fine = "In no arm of a claim does a seed lie far from the others."
    return _made("lone-seeds", "Seeds that differ", lone_seeds(evidence), fine)


def _timing(evidence: Evidence) -> list[Check]:
    if evidence.plan.study.timing is None:
        return []
    fine = "No block ran on a busy machine, and blocks agree about every arm."
    return [_made("timing", "Timing blocks", disturbances(evidence), fine)]


def _duplicates(evidence: Evidence) -> Check:
    counts = evidence.execution.context.get("duplicates", {})
    title = "Duplicates across splits"
    if not counts:
        return Check("duplicates", title, UNKNOWN, ("Duplicates were not counted.",))
    noted = [
        f"{plural(count, 'test input')} of {data} also {'stands' if count == 1 else 'stand'}, byte"
        " for byte, among the inputs that training and validation use."
        for data, count in counts.items()
        if count
    ]
    fine = (
        f"No test input of {listed_some(list(counts))} is among those of training and validation."
    )
    return _made("duplicates", title, noted, fine)


def _learnt(evidence: Evidence) -> list[Check]:
    """Say which arms that a claim calls alike are no better than a simple model."""
    noted = tuple(alike_without_learning(evidence))
    return [Check("learnt", "Alike without having learnt", NOTED, noted)] if noted else []


def _same_arms(evidence: Evidence) -> Check:
    """Look for arms that are one arm as declared, and for those whose results are all equal."""
    declared = same_arms(evidence.plan.study, evidence.plan.arms)
    noted = [f"{listed_some(names)} {SAME_ARM}." for names in declared]
    for names, seeds in _alike(evidence):
        if not any(set(names) <= set(known) for known in declared):
            noted.append(
                f"{listed_some(names)} cannot be told apart: every metric is equal, to the last"
                f" digit, on {plural(seeds, 'confirmation seed')}."
            )
    fine = "No two arms are one arm, and none have equal results on every confirmation seed."
    return _made("same-arms", "Arms that are alike", noted, fine)


def _alike(evidence: Evidence) -> Iterator[tuple[list[str], int]]:
    """Yield groups of arms that have equal metrics on all of the same seeds, and how many seeds.

    Times are no results, and a metric that only one of two arms has, as of a probe, is passed over.
    """
    rows = evidence.confirmation
    names = [
        str(name) for name in rows
        if str(name).startswith(_RESULTS) and not str(name).startswith(TIMED)
    ]  # fmt: skip
    tables = {}
    for arm in evidence.plan.arms:
        mine = rows[rows["arm"] == arm.name].set_index("seed").sort_index()
        if len(mine) and names and (mine["state"] == State.COMPLETE.value).all():
            tables[arm.name] = mine[names].dropna(axis="columns", how="all")
    left = list(tables)
    while left:
        first, *others = left
        alike = [first, *(other for other in others if _equal(tables[first], tables[other]))]
        if len(alike) > 1:
            yield alike, len(tables[first])
        left = [name for name in others if name not in alike]


def _equal(one: DataFrame, other: DataFrame) -> bool:
    shared = [name for name in one if name in other]
    measured = any(not str(name).startswith("probe.") for name in shared)
    same_seeds = one.index.equals(other.index)
    return measured and same_seeds and all(one[name].equals(other[name]) for name in shared)
