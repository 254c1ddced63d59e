"""Every distinct network of a study is built and takes a step before its first trial is queued."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.cluster import DryRun, Executor, Loss, Lost, Notice, open_executor
from harness.formatting import listed_some
from harness.models import is_simple
from harness.plan import FIXED, Plan, corners
from harness.run.prepare import REUSABLE, data_configs, prepare
from harness.run.stages import given_of
from harness.store import Store
from harness.study import (
    Arm,
    InputError,
    LoadedStudy,
    Problem,
    candidate_workload,
    place_of,
)
from harness.study.design import is_within
from harness.study.document import Path_, dotted
from harness.train import network_key
from harness.trial import Checked, Mistake, Phase, State, Trial, canonical_json
from harness.workloads import load

TOGETHER = 8  # networks that a worker checks in one go
SHOWN = 3  # arms that a message names
WAIT_SECONDS = 0.5


@dataclass(frozen=True)
class Case:
    """An arm or a stage; where it is searched, one candidate, and the setting it was made for."""

    name: str
    chosen: Mapping[str, Any] = field(default_factory=dict)
    changed: str | None = None


@dataclass
class Subject:
    """A network to be checked, and all that it stands for."""

    trial: Trial
    cases: list[Case]


def subjects_of(
    plan: Plan, store: Store | None = None, states: Mapping[str, State] | None = None
) -> list[Subject]:
    """Return the distinct networks of a plan but for those of arms that were trained before.

    What differs in numbers that no shape depends on is one network.
    """
    found: dict[str, Subject] = {}
    states = states or {}
    for name, stage in plan.stages.items():
        if states.get(stage.trial.id) not in REUSABLE:
            trial = replace(stage.trial, phase=Phase.SEARCH)
            key = network_key(trial.workload)
            found.setdefault(key, Subject(trial, [])).cases.append(Case(name))
    for arm in plan.all_arms:
        if is_simple(arm.workload["model"]):
            continue
        if states and store is not None and _is_known(plan, store, states, arm):
            continue
        space = plan.space(arm)
        for changed, chosen in corners(arm, space.dimensions) if space else [(None, {})]:
            workload = candidate_workload(arm, chosen) if chosen else arm.workload
            probes = plan.tried_probes(arm, workload)
            key = network_key(workload) + (canonical_json(probes) if probes else "")
            if key not in found:
                found[key] = Subject(plan.example(arm, chosen), [])
            found[key].cases.append(Case(arm.name, chosen, changed))
    return list(found.values())


def _is_known(plan: Plan, store: Store, states: Mapping[str, State], arm: Arm) -> bool:
    """Whether a trial of an arm, of its first candidates or seeds, was trained before."""
    space = plan.space(arm)
    if space is None:
        items = plan.confirmation_trials(arm, [FIXED])
    else:
        asked = store.searches.candidates(plan.search_id(arm))[: space.round]
        items = [
            item
            for index, chosen in enumerate(asked)
            for item in plan.search_trials(arm, index, chosen)
        ]
    return any(states.get(item.trial.id) in REUSABLE for item in items)


def check_networks(
    executor: Executor,
    loaded: LoadedStudy,
    plan: Plan,
    subjects: Sequence[Subject],
    tell: Callable[[str], None],
) -> None:
    """Have networks built, and one step taken of each, by a worker that holds their data.

    A network that takes its worker down is passed over: what its trials do then, the study says.

    Raises:
        InputError: with every mistake, each at its place in the study file.
    """
    waiting = {subject.trial.id: subject for subject in subjects}
    found: list[tuple[Subject, Mistake]] = []
    for pack in _packs(plan, subjects):
        executor.submit(pack)
    while waiting:
        for event in executor.events(WAIT_SECONDS):
            if isinstance(event, Checked):
                subject = waiting.pop(event.trial_id)
                found += [(subject, mistake) for mistake in event.mistakes]
            elif isinstance(event, Lost):
                rest = event.pack.trials
                if event.kind not in (Loss.NODE, Loss.PREEMPTED):
                    del waiting[rest[0].id]
                    rest = rest[1:]
                if rest:
                    executor.submit(replace(event.pack, trials=rest))
            elif isinstance(event, Notice):
                tell(event.text)
    faults = plan.study.faults
    if "exception" in faults.retry_on and faults.retries:  # it may be none the next time
        found = [(subject, mistake) for subject, mistake in found if not mistake.raised]
    problems = _problems(loaded, plan, found, {c.name for s in subjects for c in s.cases})
    if problems:
        raise InputError(problems)


def check_here(loaded: LoadedStudy, root: Path, checked: set[str]) -> None:
    """Check the networks of a study in this process, but for those that were `checked` before.

    Raises:
        InputError: with every mistake, each at its place in the study file.
        DataMissingError: if its data cannot be had.
    """
    executor = open_executor(in_process=True)
    for config in data_configs(prepare(loaded, root)).values():
        executor.provide(load(config, root))
    plan = prepare(loaded, root)
    subjects = [one for one in subjects_of(plan) if one.trial.id not in checked]
    check_networks(executor, loaded, plan, subjects, lambda _: None)
    checked.update(one.trial.id for one in subjects)


def _packs(plan: Plan, subjects: Sequence[Subject]) -> list[DryRun]:
    """Share networks out, those that share their data and the stages that they use."""
    stages = {stage.trial.id: stage.trial for stage in plan.stages.values()}
    alike: dict[str, list[Trial]] = {}
    for subject in subjects:
        trial = subject.trial
        key = canonical_json([trial.data_fingerprint, trial.sources])
        alike.setdefault(key, []).append(trial)
    size = TOGETHER if plan.study.resources.workers == 1 else 1
    packs = []
    for trials in alike.values():
        given = {role: given_of(stages[id_]) for role, id_ in trials[0].sources.items()}
        for start in range(0, len(trials), size):
            part = tuple(trials[start : start + size])
            packs.append(DryRun(part, given=given))
    return packs


def _problems(
    loaded: LoadedStudy, plan: Plan, found: Sequence[tuple[Subject, Mistake]], everyone: set[str]
) -> list[Problem]:
    """Place mistakes in the study file, those that arms share once."""
    alike: dict[tuple[str, str], dict[str, Case]] = {}
    for subject, mistake in found:
        cases = alike.setdefault((mistake.path, mistake.message), {})
        for case in subject.cases:
            cases.setdefault(case.name, case)
    problems = []
    for (path, message), cases in alike.items():
        failing = [arm for arm in plan.all_arms if arm.name in cases]
        at: dict[Path_, list[str]] = {}
        for case in cases.values():
            place = _place(plan, case, failing, path)
            at.setdefault(place, []).append(case.name)
        for place, names in at.items():
            shown = dotted(place).endswith(path)
            said = message if shown else f"{path}: {message}"
            if place[0] in ("workload", "search") and set(names) != everyone:
                said = f"arm{'s' * (len(names) > 1)} {listed_some(names, SHOWN)}: {said}"
            problems.append(loaded.document.problem(place, said, at_key=".settings." in path))
    return problems


def _place(plan: Plan, case: Case, failing: Sequence[Arm], path: str) -> Path_:
    """Return where in the study file that stands which is wrong at a path of a workload."""
    if path.startswith("probes."):
        names = [probe.name for probe in plan.study.probes]
        return ("probes", names.index(path.removeprefix("probes.")))
    if case.name in plan.stages:
        stage: Path_ = (plan.study.block_of(case.name), case.name)
        for key in plan.study.all_stages[case.name]:
            if is_within(path, key):
                return (*stage, key)
        return stage
    for key in case.chosen:
        if is_within(path, key):
            return ("search", "space", key)
    if case.changed is not None:
        return ("search", "space", case.changed)
    arm = next(arm for arm in failing if arm.name == case.name)
    trained = [one for one in plan.arms if not is_simple(one.workload["model"])]
    return place_of(plan.study, trained, [arm, *failing], path)
