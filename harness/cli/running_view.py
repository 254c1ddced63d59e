"""How a study is run, in the plan: what a trial is given, when it is lost, where it is saved."""

from __future__ import annotations

from typing import Any

from harness.formatting import listed
from harness.study import Study


def study_part(study: Study, name: str) -> dict[str, Any] | None:
    """Return how a study is run in one respect, as plain data with what holds by default."""
    part = getattr(study, name)
    return None if part is None else part.model_dump(mode="json")


def running_lines(study: Study) -> list[str]:
    """Say what a trial is given, what happens when it is lost, and where it is saved."""
    lines = [f"a trial gets  {_resources(study)}"]
    faults = study.faults
    again = f"{faults.retries} times after {listed(faults.retry_on, 'or')}"
    if not (faults.retries and faults.retry_on):
        again = "never for faults of its own"
    limit = f"; it may take {faults.time_limit}" if faults.time_limit else ""
    lines.append(f"tried again   {again}, always after the loss of its node{limit}")
    if study.checkpoints is not None:
        folder = study.checkpoints.folder or "a folder beside the results"
        lines.append(
            f"checkpoints   every {study.checkpoints.every} in {folder}, of trials that train alone"
            " (packs of short trials start anew)"
        )
    return lines


def _resources(study: Study) -> str:
    given = study.resources
    parts = [f"{given.cpus} CPU{'s' if given.cpus > 1 else ''}"]
    parts += [f"{given.gpus:g} GPU"] if given.gpus else []
    parts += [given.memory] if given.memory else []
    parts += [f"{amount:g} {name}" for name, amount in given.custom.items()]
    text = ", ".join(parts)
    if given.labels:
        labels = ", ".join(f"{name}: {value}" for name, value in given.labels.items())
        text += f" on a node with {labels}"
    if given.workers > 1:
        text = (
            f"{given.workers} workers, each with {text}; they share each batch"
            f"{' and the weights (FSDP)' if given.strategy == 'fsdp' else ''}, no packs are"
            " formed, and dropout draws other masks than on one worker"
        )
    return text
