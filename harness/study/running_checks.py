"""What cannot be done where several workers train a trial together."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import Problem
from harness.study.design import Arm
from harness.study.document import Document
from harness.study.model import Study

BATCH_NORM = (
    "batch normalization would see only its worker's part of each batch; use norm: layer or group,"
    " or resources.workers: 1"
)
OWN_TRAINING = "a training of your own runs in one process; use resources.workers: 1"


def check_running(study: Study, arms: Sequence[Arm], document: Document) -> list[Problem]:
    """Find what several workers for each trial would change, or could not measure."""
    if study.resources.workers == 1:
        return []
    where = ("resources", "workers")
    problems = [
        document.problem(where, f"arm {arm.name}: {BATCH_NORM}")
        for arm in arms
        if arm.workload["model"].get("norm") == "batch"
    ]
    problems += [
        document.problem(where, f"arm {arm.name}: {OWN_TRAINING}")
        for arm in arms
        if arm.workload.get("training")
    ]
    for i, probe in enumerate(study.probes):
        if probe.one_worker:
            message = (
                f"{probe.name} is measured on one worker; leave it out, or resources.workers: 1"
            )
            problems.append(document.problem(("probes", i), message))
    return problems
