"""What a study asks the machine room for, in numbers."""

from __future__ import annotations

from pathlib import Path

from harness.cluster import Needs
from harness.plan import Plan
from harness.pretrained import own_code
from harness.study import Study
from harness.study.running import interval, seconds, size_in_bytes
from harness.train import Checkpoints

FOLDER = "checkpoints"


def needs_of(study: Study, results: Path) -> Needs:
    """Return what each trial of a study is given.

    Args:
        study: the study.
        results: the folder of results, which checkpoints lie in unless the study says otherwise.
    """
    resources, limit = study.resources, study.faults.time_limit
    return Needs(
        cpus=resources.cpus,
        gpus=resources.gpus,
        memory=None if resources.memory is None else size_in_bytes(resources.memory),
        custom=dict(resources.custom),
        labels=dict(resources.labels),
        workers=resources.workers,
        time_limit=None if limit is None else seconds(limit),
        checkpoints=checkpoints_of(study, results),
    )


def checkpoints_of(study: Study, results: Path) -> Checkpoints | None:
    """Return where and how often trials are saved, or None."""
    if study.checkpoints is None:
        return None
    epochs, pause = interval(study.checkpoints.every)
    folder = study.checkpoints.folder or str(results / FOLDER)
    local = "://" not in folder and "::" not in folder
    return Checkpoints(str(Path(folder).resolve()) if local else folder, epochs, pause)


def own_modules(plan: Plan) -> list[str]:
    """Return the modules of the functions that are the user's own, of stages and probes as well."""
    workloads = [stage.trial.workload for stage in plan.stages.values()]
    workloads += [arm.workload for arm in plan.all_arms]
    probes = [{"name": probe.name} for probe in plan.study.probes]
    names = {name for workload in workloads for name in own_code(workload, probes)}
    return sorted({name.partition(":")[0] for name in names})
