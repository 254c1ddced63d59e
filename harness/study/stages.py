"""Pretraining stages: networks that are trained once, and whose weights arms start from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.errors import Problem, nearest
from harness.models import is_simple
from harness.study.design import Arm, OnError, checked_workload
from harness.study.document import Document, Path_
from harness.study.model import Study
from harness.trial import source_of

SOURCE_PATH = "transfer.from"


def build_stages(study: Study, on_error: OnError | None = None) -> dict[str, Mapping[str, Any]]:
    """Return the resolved workload of every stage, by its name.

    A stage is the study's workload with the stage's settings, and without its `transfer`: what a
    stage itself starts from, it says itself.

    Args:
        study: the study.
        on_error: told of each stage whose settings do not make a valid workload (the stage is
            left out); without it such a stage raises pydantic's ValidationError.
    """
    base = study.workload.model_dump(exclude_unset=True)
    base.pop("transfer", None)
    stages = {}
    for name, settings in study.pretraining.items():
        workload = checked_workload(base, settings, ("pretraining", name), on_error)
        if workload is not None:
            stages[name] = workload
    return stages


def used_stages(
    study: Study, arms: Sequence[Arm], stages: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Return the names of the stages that any arm needs, each after the one it starts from."""
    ordered: dict[str, None] = {}
    for name in _sources_of_arms(study, arms):
        ordered |= dict.fromkeys(reversed(list(_chain(name, stages))))
    return list(ordered)


def check_stages(
    study: Study,
    arms: Sequence[Arm],
    stages: Mapping[str, Mapping[str, Any]],
    document: Document,
) -> list[Problem]:
    """Find stages that do not exist, that go round in a circle, or that have no weights."""
    problems = []
    sources = dict.fromkeys(_sources_of_arms(study, arms))
    sources |= dict.fromkeys(filter(None, map(source_of, stages.values())))
    for name in sources:
        if name not in study.pretraining:
            known = ", ".join(study.pretraining) or "none"
            message = f"no pretraining stage is called '{name}' (there are: {known})"
            message += nearest(name, study.pretraining)
            problems.append(document.problem(_place_of(name, document.data), message))
    names = {arm.name for arm in arms}
    for name, workload in stages.items():
        message = ""
        if name in list(_chain(name, stages))[1:]:
            message = f"the stage '{name}' starts from itself"
        elif is_simple(workload["model"]):
            message = f"{workload['model']['name']} has no weights that a network could start from"
        elif name in names:
            message = f"an arm is called '{name}' as well"
        if message:
            problems.append(document.problem(("pretraining", name), message))
    return problems


def _sources_of_arms(study: Study, arms: Sequence[Arm]) -> list[str]:
    """Return the names of stages that arms start from, or that a search chooses between."""
    found = [source_of(arm.workload) for arm in arms]
    dimension = study.search.space.get(SOURCE_PATH) if study.search else None
    if dimension is not None and dimension.choice is not None:
        found += [str(value) for value in dimension.choice if value is not None]
    return list(dict.fromkeys(name for name in found if name is not None))


def _chain(name: str, stages: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a stage, the one it starts from, and so on; a circle ends where it closes."""
    seen: set[str] = set()
    source: str | None = name
    while source is not None and source in stages:
        yield source
        if source in seen:
            return
        seen.add(source)
        source = source_of(stages[source])


def _place_of(name: str, data: Any) -> Path_:
    """Return where a study file names a source: as `from`, else as a level or a choice."""
    places = [path for path, value in _leaves(data, ()) if value == name]
    asked = [path for path in places if str(path[-1]).rpartition(".")[2] == "from"]
    listed = [path for path in places if path[0] in ("factors", "search")]
    return next(iter(asked + listed), ("pretraining",))


def _leaves(data: Any, path: Path_) -> Iterator[tuple[Path_, Any]]:
    if isinstance(data, Mapping | list):
        items = data.items() if isinstance(data, Mapping) else enumerate(data)
        for key, value in items:
            yield from _leaves(value, (*path, key))
    else:
        yield path, data
