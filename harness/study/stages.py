"""Stages: trials that are run once, and whose products others use in a role."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.errors import Problem, nearest
from harness.formatting import level_text, listed
from harness.identity import task_learned
from harness.models import is_simple
from harness.study.design import Arm, OnError, below, checked_workload
from harness.study.document import Document, Path_
from harness.study.model import Study
from harness.tasks import Task
from harness.trial import sources_of

SOURCE_PATHS = ("transfer.from", "uses.")
"""How the paths begin that name stages."""
BY_NETWORK = ("predictions", "embeddings")
"""Products for which a task needs the stage's network, as it asks for them batch by batch."""


def build_stages(study: Study, on_error: OnError | None = None) -> dict[str, Mapping[str, Any]]:
    """Return the resolved workload of every stage, by its name.

    A stage is the study's workload with the stage's settings, and without its `transfer` and
    `uses`: what a stage itself uses, it says itself.

    Args:
        study: the study.
        on_error: told of each stage whose settings do not make a valid workload (the stage is
            left out); without it such a stage raises pydantic's ValidationError.
    """
    unset = study.workload.model_dump(exclude_unset=True)
    base = json.dumps({part: unset[part] for part in unset if part not in ("transfer", "uses")})
    stages = {}
    for name, settings in study.all_stages.items():
        workload = checked_workload(
            base, settings, below((study.block_of(name), name), settings), on_error
        )
        if workload is not None:
            stages[name] = workload
    return stages


def used_stages(
    study: Study, arms: Sequence[Arm], stages: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Return the names of the stages that any arm needs, each after those that it uses."""
    ordered: dict[str, None] = {}
    for name in _sources_of_arms(study, arms):
        _add(name, stages, ordered, ())
    return list(ordered)


def _add(
    name: str,
    stages: Mapping[str, Mapping[str, Any]],
    ordered: dict[str, None],
    users: tuple[str, ...],
) -> None:
    if name in stages and name not in users:
        for source in sources_of(stages[name]).values():
            _add(source, stages, ordered, (*users, name))
        ordered.setdefault(name)


def check_stages(
    study: Study,
    arms: Sequence[Arm],
    stages: Mapping[str, Mapping[str, Any]],
    document: Document,
) -> list[Problem]:
    """Find stages that do not exist, go round in a circle or do not give what is asked of them."""
    problems = list(_two_starts(document))
    declared = study.all_stages
    sources = dict.fromkeys(_sources_of_arms(study, arms))
    sources |= dict.fromkeys(name for one in stages.values() for name in sources_of(one).values())
    for name in sources:
        if name not in declared:
            known = ", ".join(declared) or "none"
            kind = "stage" if study.stages or not study.pretraining else "pretraining stage"
            message = f"no {kind} is called '{name}' (there are: {known}){nearest(name, declared)}"
            problems.append(document.problem(_place_of(name, document.data), message))
    names = {arm.name for arm in arms}
    for name, workload in stages.items():
        message = ""
        if name in _below(name, stages):
            way = "starts from" if name in _below(name, stages, "initial") else "uses products of"
            message = f"the stage '{name}' {way} itself"
        elif is_simple(workload["model"]):
            message = f"{workload['model']['name']} has no weights that a network could start from"
        elif name in names:
            message = f"an arm is called '{name}' as well"
        if message:
            problems.append(document.problem((study.block_of(name), name), message))
    if not problems:
        problems = list(_wrong_uses(study, arms, stages, document))
    return problems


def _two_starts(document: Document) -> Iterator[Problem]:
    """Yield a problem for each place that names two stages to start from, in both spellings."""
    places = dict(_leaves(document.data, ()))
    for path, name in places.items():
        other = places.get((*path[:-2], "transfer", "from"))
        if path[-2:] == ("uses", "initial") and None not in (name, other) and name != other:
            message = f"starts from '{name}', and `transfer.from` from '{other}': give one of them"
            yield document.problem(path, message)


def _wrong_uses(
    study: Study,
    arms: Sequence[Arm],
    stages: Mapping[str, Mapping[str, Any]],
    document: Document,
) -> Iterator[Problem]:
    """Yield a problem for each role that a task does not take, or that its stage cannot fill."""
    seen: set[str] = set()
    users = [(f"arm {arm.name}", arm.workload, _where_arm(arm)) for arm in arms]
    users += [(f"stage {n}", one, (study.block_of(n), n)) for n, one in stages.items()]
    for who, workload, where in users:
        sources = sources_of(workload)
        if workload.get("training"):
            continue  # it takes whatever there is, in roles of its own
        task = task_learned(workload)
        for role in sorted(set(task.needs) - set(sources)):
            message = (
                f"the task {task.name} needs a stage as {role}: write `uses: {{{role}: NAME}}`"
            )
            if message not in seen:
                seen.add(message)
                yield document.problem(where, f"{who}: {message}")
        for role, name in sources.items():
            message = _why_not(task, role, name, stages[name])
            message = message or _other_classes(task, role, name, stages[name], workload)
            if is_simple(workload["model"]) and role not in ("initial", "classifier"):
                message = f"{workload['model']['name']} makes no use of stages"
            if message and message not in seen:
                seen.add(message)
                yield document.problem(_place_of(name, document.data, role), message)


def _why_not(task: Task, role: str, name: str, stage: Mapping[str, Any]) -> str:
    """Say why a stage cannot have a role in a task; nothing if it can."""
    if role not in task.takes:
        taken = listed(list(task.takes), "or") or "nothing"
        return (
            f"the task {task.name} takes no stage as '{role}'{nearest(role, task.takes)}; "
            f"it takes {taken}"
        )
    product, given = task.takes[role], given_by(stage)
    if stage.get("training") and product in BY_NETWORK:
        return (
            f"the stage '{name}' is a training of your own; as {role} the task {task.name} asks a "
            "network that the harness trained"
        )
    if product not in given:
        return (
            f"the stage '{name}' gives no {product}, which the task {task.name} takes as {role}; "
            f"it gives {listed(list(given)) or 'nothing'}{nearest(product, given)}"
        )
    labelled = stage.get("training") or getattr(task_learned(stage), "conditional", False)
    if product == "samples" and not labelled:
        return f"the samples of the stage '{name}' have no targets that {task.name} could learn"
    return ""


def _other_classes(
    task: Task, role: str, name: str, stage: Mapping[str, Any], workload: Mapping[str, Any]
) -> str:
    """Say that a stage tells other classes of the same data apart, or numbers them otherwise."""
    its, own = stage["data"], workload["data"]
    if task.takes[role] != "predictions" or its["name"] != own["name"]:
        return ""
    taught, learnt = (level_text(data.get("classes") or "all") for data in (its, own))
    if taught == learnt:
        return ""
    return (
        f"the stage '{name}' tells the classes {taught} apart and its student {learnt}, so that its"
        " answers would mean other classes; give both the same `data.classes`"
    )


def given_by(workload: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the products that the trial of a resolved workload gives, as a stage."""
    training = workload.get("training")
    if training:
        return tuple(training.get("products") or ())
    return task_learned(workload).gives


def _where_arm(arm: Arm) -> Path_:
    return ("arms", arm.name) if arm.named else ("workload",)


def _sources_of_arms(study: Study, arms: Sequence[Arm]) -> list[str]:
    """Return the names of stages that arms use, or that a search chooses between."""
    found = [name for arm in arms for name in sources_of(arm.workload).values()]
    for path, dimension in (study.search.space if study.search else {}).items():
        if path.startswith(SOURCE_PATHS) and dimension.choice is not None:
            found += [str(value) for value in dimension.choice if value is not None]
    return list(dict.fromkeys(found))


def _below(name: str, stages: Mapping[str, Mapping[str, Any]], role: str | None = None) -> set[str]:
    """Return the stages that a stage uses, and those that these use, and so on; in a role only."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        uses = sources_of(stages.get(waiting.pop(), {})).items()
        new = {source for as_, source in uses if role in (None, as_)} - found
        found |= new
        waiting += new
    return found


def _place_of(name: str, data: Any, role: str | None = None) -> Path_:
    """Return where a study file names a source: in its role, else as a level or a choice."""
    places = [path for path, value in _leaves(data, ()) if value == name]
    asked = [path for path in places if _is_use(path, role)]
    listed_ = [path for path in places if path[0] in ("factors", "search")]
    return next(iter(asked + listed_), ("pretraining" if "pretraining" in data else "stages",))


def _is_use(path: Path_, role: str | None) -> bool:
    """Whether a path ends as one does that names a stage."""
    parts = ".".join(map(str, path)).split(".")
    if role in (None, "initial") and parts[-1] == "from":
        return True
    return len(parts) > 1 and parts[-2] == "uses" and role in (None, parts[-1])


def _leaves(data: Any, path: Path_) -> Iterator[tuple[Path_, Any]]:
    if isinstance(data, Mapping | list):
        items = data.items() if isinstance(data, Mapping) else enumerate(data)
        for key, value in items:
            yield from _leaves(value, (*path, key))
    else:
        yield path, data
