"""What a study asks the machine room for, in numbers."""

from __future__ import annotations

from harness.cluster import Needs
from harness.study import Study
from harness.study.quantities import seconds, size_in_bytes


def needs_of(study: Study) -> Needs:
    """Return what each trial of a study is given."""
    resources, limit = study.resources, study.faults.time_limit
    return Needs(
        cpus=resources.cpus,
        gpus=resources.gpus,
        memory=None if resources.memory is None else size_in_bytes(resources.memory),
        custom=dict(resources.custom),
        labels=dict(resources.labels),
        workers=resources.workers,
        time_limit=None if limit is None else seconds(limit),
    )
