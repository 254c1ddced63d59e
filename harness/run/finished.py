"""A finished study that nothing has changed since: what came of it, without doing it again.

Everything that decides the trials, the verdicts, the report and the mirror is compared with what it
was. If all of it is the same, a run would do what was done before, so that it need not; if anything
differs or cannot be told, the run goes its way.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.plan import Plan
from harness.pretrained import OUTSIDE, outside_versions
from harness.provenance import package_version
from harness.registry import NETWORKS
from harness.run.observer import Closing, Observer, Opening
from harness.run.outcome import RunOptions, RunResult
from harness.run.prepare import Outlook, count_done, data_configs, is_usable
from harness.run.reports import cached_report, origins_in
from harness.store import DATABASE, Execution, Store, conductor_lock, open_store
from harness.trial import SECONDS, digest


def identity(plan: Plan, file: str) -> str:
    """Digest everything that decides the trials of a plan; empty if that cannot be told cheaply.

    Args:
        plan: with the fingerprints of its data.
        file: the study file, as a report shows it.
    """
    if len(plan.fingerprints) < len(data_configs(plan)):
        return ""
    spaces = [plan.space(arm) for arm in plan.all_arms]
    searched = {path for space in spaces if space for path in space.dimensions}
    whole = ["task"]  # of which any setting may say what comes from elsewhere
    if any(NETWORKS.plugin(arm.workload["model"]["name"]) for arm in plan.arms):
        whole.append("model")
    if any(path in OUTSIDE or path.partition(".")[0] in whole for path in searched):
        return ""  # code and weights from elsewhere may come in by way of a candidate
    workloads = [stage.trial.workload for stage in plan.stages.values()]
    workloads += [arm.workload for arm in plan.all_arms]
    probes = [{"name": probe.name} for probe in plan.study.probes]
    return digest(
        [
            package_version(),
            plan.hash,
            dict(plan.overrides),
            dict(plan.fingerprints),
            [outside_versions(workload, plan.own_version, probes) for workload in workloads],
            file,
        ]
    )


def registered_file(study: str, profile: str) -> Path:
    """Return where a run looks for the registered plan of a study and profile."""
    return Path("registered") / f"{study}.{profile}.yaml"


def shown_path(file: str) -> str:
    """Return a study file's path as it may stand in a report: never with folders of a machine.

    Empty for a study that is in no file.
    """
    if not file:
        return ""
    path = Path(file).resolve()
    inside = path.is_relative_to(Path.cwd())
    return str(path.relative_to(Path.cwd())) if inside else path.name


def finished_execution(store: Store, plan: Plan, file: str) -> Execution | None:
    """Return the newest execution of a plan if it did everything that a run would do now."""
    wanted = identity(plan, file)
    names = (plan.study.study, plan.profile)
    newest = [e for e in store.latest_executions() if (e.study, e.profile) == names]
    if not wanted or not newest or newest[0].status != "finished":
        return None
    if store.identity(newest[0].id) != wanted:
        return None
    done = all(is_usable(store, *item) for item in store.assigned_states(newest[0].id))
    return newest[0] if done else None


def look_ahead(plan: Plan, store: Store | None, file: str) -> Outlook:
    """Say how much of a plan has been run; a plan that is finished is not walked for that."""
    execution = None if store is None else finished_execution(store, plan, shown_path(file))
    if store is None or execution is None:
        return count_done(plan, store)
    done = dict.fromkeys(plan.trial_counts(), 0)
    done |= Counter(phase.value for _, phase, _ in store.assigned_states(execution.id))
    return Outlook(done, done, {SECONDS: 0.0})


def reuse(
    plan: Plan, file: str, options: RunOptions, observers: Sequence[Observer]
) -> RunResult | None:
    """Return what came of a study if nothing has changed since; None if there is work to do."""
    begin = time.monotonic()
    if options.retrain_damaged or not (options.results / DATABASE).is_file():
        return None
    with conductor_lock(options.results):
        store = open_store(options.results)
        try:
            execution = finished_execution(store, plan, shown_path(file))
            if execution is None:
                return None
            folder = options.reports / plan.study.study
            page = cached_report(store, folder, origins_in(store).of(plan.study.study))
            assigned = store.assigned_states(execution.id)
        finally:
            store.close()
    ids = [id_ for id_, _, _ in assigned]
    if page is None or any(o.lacks(execution.study, execution.id, ids) for o in observers):
        return None
    counts = Counter(complete=0, pruned=0, diverged=0, failed=0, reused=len(assigned))
    kept = RunResult.from_kept(page.outcomes[plan.profile])
    result = replace(kept, counts=counts, wall_seconds=time.monotonic() - begin, report=folder)
    opening = Opening(plan, execution.id, plan.trial_counts())
    closing = Closing.of(execution.status, result)
    for observer in observers:
        observer.unchanged(opening, closing)
    return result
