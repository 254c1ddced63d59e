"""Read a study file, apply a profile and overrides, and explain every mistake."""

from __future__ import annotations

import copy
import fnmatch
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from harness.errors import InputError, Problem, nearest
from harness.registry import KINDS
from harness.study.arm_checks import check_arms, check_same_arms
from harness.study.benchmark_checks import check_benchmark
from harness.study.checks import (
    check_factors,
    check_logged,
    check_names,
    check_references,
    check_running,
)
from harness.study.design import (
    WORKLOAD,
    Arm,
    OnError,
    build_arms,
    is_within,
    name_usual_optimizer,
)
from harness.study.document import Document, Path_, assign, document_of, parse_value
from harness.study.explain import explain
from harness.study.generalize_checks import check_generalize
from harness.study.goal_checks import check_goals
from harness.study.inherit import EXTENDS, MATRIX, expand_matrix, read_document
from harness.study.metric_checks import check_metrics
from harness.study.model import Study
from harness.study.profile_checks import check_dropped, check_partly_acting
from harness.study.sampler_checks import check_samplers
from harness.study.setting_checks import check_overrides, check_words
from harness.study.stages import build_stages, check_stages
from harness.study.suites import expand_suites
from harness.study.timing_checks import check_timing
from harness.study.transfer_checks import check_transfer
from harness.study.workload import Workload

Built = TypeVar("Built")


@dataclass(frozen=True)
class LoadedStudy:
    """A checked study with its arms, and what it was made from; `document` knows the places.

    `profiles` are the studies that its other profiles make of it, where they were looked at; the
    study as it stands is one under the name "default".
    """

    study: Study
    arms: list[Arm]
    profile: str
    overrides: dict[str, Any]
    file: str
    document: Document = field(repr=False, compare=False)
    profiles: Mapping[str, Study] = field(default_factory=dict, repr=False, compare=False)

    @property
    def folders(self) -> list[str]:
        """The folders of the file and of those that it extends; none for a study in no file."""
        files = dict.fromkeys([self.file, *self.document.files.values()])
        return [os.path.dirname(os.path.abspath(file)) for file in files if file]


DEFAULT = "default"
"""The name of the study as it stands, among its profiles."""

Source = Path | Mapping[str, Any]
"""A study file, or what one would say as plain data."""


def load_study(
    source: Source, profile: str | None = None, overrides: Sequence[str] = ()
) -> LoadedStudy:
    """Read and check a study.

    Args:
        source: the YAML file, or a mapping that says the same.
        profile: one of its `profiles`; without one, the study as it stands ("default").
        overrides: `path=value` texts, applied last.

    Raises:
        InputError: with every mistake found, each at its place.
    """
    document = _read(source)
    known = _profiles(document)
    if profile is not None and profile not in known:
        raise _no_profile(document, profile)
    loaded = _load(document, profile, _parse_overrides(overrides))
    # every profile must be sound, not only the one that is asked for
    others = {name: _of_profile(document, name) for name in known if name != profile}
    if profile is not None:
        with suppress(InputError):  # the study as it stands need not be sound for a profile of it
            others[DEFAULT] = _resolve(document, None, {})[0]
    return replace(loaded, profiles=others)


def _of_profile(document: Document, name: str) -> Study:
    """Return the study that a profile makes; its mistakes name it where their place does not."""
    try:
        return _resolve(document, name, {})[0]
    except InputError as error:
        own = f"profiles.{name}"
        told = [
            one if one.path.startswith(own) else replace(one, message=f"{one.message} ({own})")
            for one in error.problems
        ]
        raise InputError(told) from None


def load_profiles(source: Source, pattern: str, overrides: Sequence[str] = ()) -> list[LoadedStudy]:
    """Read a study once for each of its profiles whose name fits a pattern such as `digits-*`.

    Raises:
        InputError: as `load_study` does, and if no profile fits.
    """
    document = _read(source)
    fitting = fnmatch.filter(_profiles(document), pattern)
    if not fitting:
        raise _no_profile(document, pattern)
    settings = _parse_overrides(overrides)
    loaded = [_load(document, name, settings) for name in fitting]
    known = {one.profile: one.study for one in loaded}
    return [replace(one, profiles=known) for one in loaded]


def _read(source: Source) -> Document:
    start = source if isinstance(source, Path) else document_of(source)
    document = read_document(start)
    expand_matrix(document)
    return document


def _profiles(document: Document) -> Mapping[str, Any]:
    known = document.data.get("profiles")
    return known if isinstance(known, dict) else {}


def _no_profile(document: Document, wanted: str) -> InputError:
    known = _profiles(document)
    names = ", ".join(map(str, known)) or "none"
    message = f"has no profile '{wanted}' (it has: {names}){nearest(wanted, known)}"
    return InputError([Problem(message, document.file)])


def _load(document: Document, profile: str | None, settings: dict[str, Any]) -> LoadedStudy:
    study, arms, merged = _resolve(document, profile, settings)
    return LoadedStudy(study, arms, profile or DEFAULT, settings, document.file, merged)


def study_from_dict(data: Mapping[str, Any]) -> tuple[Study, list[Arm]]:
    """Rebuild a study that was checked before and stored as plain data."""
    study = Study.model_validate_json(json.dumps(data), strict=True)
    return study, build_arms(study)


def _parse_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    settings = {}
    for text in overrides:
        path, equals, value = text.partition("=")
        if not equals or not path.strip():
            raise InputError([Problem(f"'{text}' is not of the form path=value", "--set")])
        settings[path.strip()] = parse_value(value)
    return settings


def _resolve(
    document: Document, profile: str | None, settings: Mapping[str, Any]
) -> tuple[Study, list[Arm], Document]:
    merged = Document(
        copy.deepcopy(document.data),
        document.file,
        dict(document.positions),
        dict(document.keys),
        dict(document.files),
    )
    if profile is not None:
        _apply(merged, document.data["profiles"][profile], ("profiles", profile))
    _apply(merged, settings, None)
    expand_suites(merged)
    problems = check_words(merged, settings)
    if problems:
        raise InputError(problems)
    try:
        study = Study.model_validate_json(json.dumps(merged.data), strict=True)
    except ValidationError as error:
        raise InputError(explain(error, merged, Study)) from None
    arms, problems = _find_all(study, merged, profile, settings)
    if not problems:
        workload = document.data.get("workload")
        data = workload.get("data") if isinstance(workload, Mapping) else None
        problems = check_dropped(study, arms, merged, profile, settings, data)
    if not problems and (profile is not None or settings):
        before = partial(_arms_of, document)
        problems = check_partly_acting(study, arms, merged, profile, settings, before)
    if problems:
        raise InputError(problems)
    return study, arms, merged


def _arms_of(document: Document) -> list[Arm]:
    """Return the arms of a study as it stands; none if it is not sound without a profile."""
    data = copy.deepcopy(document.data)
    merged = replace(document, data=data)
    with suppress(InputError, ValidationError):
        expand_suites(merged)
        return study_from_dict(merged.data)[1]
    return []


def _find_all(
    study: Study, merged: Document, profile: str | None, settings: Mapping[str, Any]
) -> tuple[list[Arm], list[Problem]]:
    """Return the arms, and the mistakes: those that others would follow from end the search."""
    names = check_names(study, merged)
    problems = check_factors(study, merged) + check_samplers(study, merged)
    if problems:
        return [], names + problems
    arms = _report_invalid(merged, problems, lambda report: build_arms(study, report))
    stages = _report_invalid(merged, problems, lambda report: build_stages(study, report))
    if not problems:
        problems += check_arms(study, arms, merged)
        problems += check_overrides(study, merged, profile, settings)
    if problems:
        return arms, names + problems
    problems += check_references(study, arms, merged)
    problems += check_stages(study, arms, stages, merged)
    problems += check_running(study, arms, merged)
    problems += check_logged(study, arms, merged)
    if not problems:
        problems += check_transfer(study, arms, stages, merged)
    if not problems:
        problems += check_timing(study, arms, merged)
    if not problems:
        problems += check_same_arms(study, arms, merged) + check_metrics(study, arms, merged)
        problems += check_generalize(study, arms, merged)
        problems += check_benchmark(study, arms, merged)
    if not problems:
        problems += check_goals(study, arms, merged)
    return arms, names + problems


def _apply(merged: Document, settings: Any, origin: Path_ | None) -> None:
    """Assign dotted paths in place; values keep the position of the profile they come from."""
    if not isinstance(settings, Mapping):
        raise InputError([merged.problem(origin or (), "must be a mapping of path: value")])
    for path, value in settings.items():
        head = str(path).partition(".")[0]
        if head in Workload.model_fields and head not in Study.model_fields:
            message = f"unknown key '{head}'; did you mean '{WORKLOAD}{path}'?"
            placed = merged.problem((*(origin or ()), path), message)
            raise InputError([placed if origin else Problem(message, "--set", path=path)])
        try:
            workload = merged.data.get("workload")
            if isinstance(workload, dict) and path.startswith(WORKLOAD):
                name_usual_optimizer(workload, path.removeprefix(WORKLOAD))
            assign(merged.data, path, copy.deepcopy(value))
        except (KeyError, AttributeError, TypeError):
            where = (*origin, path) if origin else ()
            problem = merged.problem(where, f"the path '{path}' leads through a plain value")
            raise InputError([problem if origin else Problem(problem.message, "--set")]) from None
        if origin:
            merged.place_as((*origin, path), tuple(path.split(".")))


def _report_invalid(
    document: Document, problems: list[Problem], build: Callable[[OnError], Built]
) -> Built:
    """Build arms or stages; settings that their model does not know are added to the problems."""

    def report(error: ValidationError, origin: Path_, paths: Mapping[str, Path_]) -> None:
        for problem in explain(error, Document({}), Workload):
            path = nearest_path = problem.path
            if paths and not any(p == path or path.startswith(p) for p in paths):
                nearest_path = f"{', '.join(paths)} -> {path}"
            at = _place_of(path, paths, origin)
            placed = document.problem(at, f"{nearest_path}: {problem.message}")
            if placed not in problems:
                problems.append(placed)

    return build(report)


def _place_of(path: str, paths: Mapping[str, Path_], origin: Path_) -> Path_:
    """Return where the setting stands that is wrong: the one of this path, else one of its part."""
    exact = [place for key, place in paths.items() if is_within(path, key)]
    near = [place for key, place in paths.items() if is_within(key, path)]
    return exact[-1] if exact else near[0] if near and origin not in near else origin


def _allow_suites(factor: dict[str, Any]) -> None:
    """Let editors know that a suite may stand for the levels of a factor."""
    factor["properties"]["suite"] = {
        "type": "string",
        "description": "instead of levels: data sets by the name of a suite, or the path of one;"
        " `harness list suites`",
    }
    factor["properties"]["without"] = {
        "type": "array", "items": {"type": "string"}, "description": "of a suite: left out",
    }  # fmt: skip
    factor["anyOf"] = [{"required": factor.pop("required")}, {"required": ["suite"]}]


def schema(*, registered: bool = False) -> dict[str, Any]:
    """Return the JSON Schema of a study file.

    Args:
        registered: import the classes that other packages register, so that their settings are
            part of it; one that cannot be imported is left out.
    """
    for kind in KINDS.values() if registered else ():
        for name in set(kind.names()) - set(kind.own()):
            with suppress(KeyError, ValueError, ImportError):
                kind.find(name)
    found = Study.model_json_schema()
    found["properties"][EXTENDS] = {
        "type": "string",
        "description": "a study file, or the name of a bundled study, that this one changes",
    }
    settings = {"type": "object", "additionalProperties": True}
    labels = {"type": "object", "minProperties": 1, "additionalProperties": settings}
    _allow_suites(found["$defs"]["Factor"])
    found["properties"][MATRIX] = {
        "type": "object",
        "description": "axes whose combinations are profiles: {axis: {label: {path: value}}}; two"
        " data sets by two models give `digits-small`, `digits-large`, ...",
        "additionalProperties": labels,
    }
    whole = {"required": found.pop("required")}
    return found | {"if": {"required": [EXTENDS]}, "then": {"required": ["study"]}, "else": whole}
