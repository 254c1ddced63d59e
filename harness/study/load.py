"""Read a study file, apply a profile and overrides, and explain every mistake."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from harness.study import components
from harness.study.design import Arm, build_arms, select
from harness.study.document import Document, Path_, assign, dotted, parse_value, read_document
from harness.study.errors import InputError, Problem, nearest
from harness.study.model import Study

_TYPE_WORDS = {
    "int_type": "a whole number", "float_type": "a number", "string_type": "a word or text",
    "bool_type": "true or false", "list_type": "a list", "dict_type": "a mapping",
    "model_type": "a mapping", "model_attributes_type": "a mapping",
    "int_from_float": "a whole number",
}  # fmt: skip


@dataclass(frozen=True)
class LoadedStudy:
    """A checked study with its arms, and what it was made from."""

    study: Study
    arms: list[Arm]
    profile: str
    overrides: dict[str, Any]
    file: str


def load_study(
    file: Path, profile: str | None = None, overrides: Sequence[str] = ()
) -> LoadedStudy:
    """Read and check a study file.

    Args:
        file: the YAML file.
        profile: one of its `profiles`; without one, the study as it stands ("default").
        overrides: `path=value` texts, applied last.

    Raises:
        InputError: with every mistake found, each at its place.
    """
    document = read_document(file)
    known = document.data.get("profiles")
    known = known if isinstance(known, dict) else {}
    if profile is not None and profile not in known:
        names = ", ".join(map(str, known)) or "none"
        raise InputError(
            [Problem(f"has no profile '{profile}' (it has: {names}){nearest(profile, known)}",
                     str(file))]
        )  # fmt: skip
    for name in known:  # every profile must be sound, not only the one that is asked for
        if name != profile:
            _resolve(document, name, {})
    settings = _parse_overrides(overrides)
    study, arms = _resolve(document, profile, settings)
    return LoadedStudy(study, arms, profile or "default", settings, str(file))


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
) -> tuple[Study, list[Arm]]:
    merged = Document(copy.deepcopy(document.data), document.file, dict(document.positions))
    if profile is not None:
        _apply(merged, document.data["profiles"][profile], ("profiles", profile))
    _apply(merged, settings, None)
    try:
        study = Study.model_validate_json(json.dumps(merged.data), strict=True)
    except ValidationError as error:
        raise InputError(_explain(error, merged, Study, ())) from None
    problems = _check_names(study, merged)
    if problems:
        raise InputError(problems)
    arms = _build_checked_arms(study, merged)
    problems = _check_selectors(study, arms, merged)
    if problems:
        raise InputError(problems)
    return study, arms


def _apply(merged: Document, settings: Any, origin: Path_ | None) -> None:
    """Assign dotted paths in place; values keep the position of the profile they come from."""
    if not isinstance(settings, Mapping):
        raise InputError([merged.problem(origin or (), "must be a mapping of path: value")])
    for path, value in settings.items():
        try:
            assign(merged.data, path, copy.deepcopy(value))
        except (KeyError, AttributeError, TypeError):
            where = (*origin, path) if origin else ()
            problem = merged.problem(where, f"the path '{path}' leads through a plain value")
            raise InputError([problem if origin else Problem(problem.message, "--set")]) from None
        if origin:
            target: Path_ = tuple(path.split("."))
            for source, place in list(merged.positions.items()):
                if source[: len(origin) + 1] == (*origin, path):
                    merged.positions[target + source[len(origin) + 1 :]] = place


def _build_checked_arms(study: Study, document: Document) -> list[Arm]:
    """Build the arms; a level that its model does not know is reported where it stands."""
    problems: list[Problem] = []

    def report(error: ValidationError, origin: Path_, paths: Sequence[str]) -> None:
        for problem in _explain(error, Document({}), components.Workload, ()):
            path = nearest_path = problem.path
            if paths and not any(p == path or path.startswith(p) for p in paths):
                nearest_path = f"{', '.join(paths)} -> {path}"
            placed = document.problem(origin, f"{nearest_path}: {problem.message}")
            if placed not in problems:
                problems.append(placed)

    arms = build_arms(study, report)
    if problems:
        raise InputError(problems)
    return arms


def _check_names(study: Study, document: Document) -> list[Problem]:
    problems = []
    seen: dict[str, int] = {}
    for i, claim in enumerate(study.claims):
        if claim.id in seen:
            problems.append(
                document.problem(
                    ("claims", i, "id"),
                    f"claim id '{claim.id}' is already used by claims[{seen[claim.id]}]",
                )
            )
        seen.setdefault(claim.id, i)
    for name, factor in study.factors.items():
        if isinstance(factor.levels, list) and factor.path is None:
            problems.append(document.problem(("factors", name), "a list of levels needs a `path`"))
        if isinstance(factor.levels, dict) and factor.path is not None:
            problems.append(
                document.problem(
                    ("factors", name, "path"), "levels that are mappings carry their own paths"
                )
            )
    return problems


def _check_selectors(study: Study, arms: list[Arm], document: Document) -> list[Problem]:
    """Find claims and probes about arms that the design does not contain."""
    problems = []

    def check(selector: Mapping[str, Any], where: Path_) -> None:
        message = _selector_problem(selector, study, arms)
        if message:
            problems.append(document.problem(where, message))

    for i, claim in enumerate(study.claims):
        for j, test in enumerate(claim.tests):
            where: Path_ = ("claims", i) + (("all_of", j) if hasattr(claim, "all_of") else ())
            problems.extend(_check_test(test, where, study, arms, document))
    for i, probe in enumerate(study.probes):
        if probe.on:
            check(probe.on, ("probes", i, "on"))
    if study.search is not None:
        problems.extend(_check_space(study, document))
    return problems


def _check_test(
    test: Any, where: Path_, study: Study, arms: list[Arm], document: Document
) -> list[Problem]:
    from harness.study.design import sides  # noqa: PLC0415  (a cycle-free late import)

    place = (*where, test.measure)
    if test.trend is not None:
        factor = study.factors.get(test.trend.over)
        if factor is None:
            message = (
                f"no factor is called '{test.trend.over}'{nearest(test.trend.over, study.factors)}"
            )
            return [document.problem((*place, "over"), message)]
        numeric = isinstance(factor.levels, list) and all(
            isinstance(level, int | float) for level in factor.levels
        )
        if not numeric or len(factor.levels) < 3:
            return [
                document.problem((*place, "over"), "a trend needs three or more numeric levels")
            ]
    try:
        selectors = sides(test)
    except ValueError as error:
        return [document.problem(place, str(error))]
    problems = []
    for selector in selectors:
        message = _selector_problem(selector, study, arms)
        if message:
            problems.append(document.problem(place, message))
    return problems


def _selector_problem(selector: Mapping[str, Any], study: Study, arms: list[Arm]) -> str | None:
    named = [arm.name for arm in arms if arm.named]
    for key, wanted in selector.items():
        if key == "arm":
            for name in wanted if isinstance(wanted, list) else [wanted]:
                if name not in named:
                    return f"no arm is called '{name}'{nearest(name, named)}"
            continue
        if key not in study.factors:
            return f"no factor is called '{key}'{nearest(key, [*study.factors, 'arm'])}"
        levels = list(study.factors[key].levels)
        for level in wanted if isinstance(wanted, list) else [wanted]:
            if level not in levels:
                listed = ", ".join(map(str, levels))
                return f"factor '{key}' has no level '{level}' (it has: {listed}){nearest(level, levels)}"
    if not select(arms, selector):
        return "the design contains no such arm"
    return None


def _check_space(study: Study, document: Document) -> list[Problem]:
    assert study.search is not None
    problems = []
    base = study.workload.model_dump()
    for path, dimension in study.search.space.items():
        where: Path_ = ("search", "space", path)
        low_high = next(iter(dimension.model_dump().values()))
        if not hasattr(dimension, "choice") and low_high[0] >= low_high[1]:
            problems.append(
                document.problem(where, "needs a lower and a higher bound, in this order")
            )
            continue
        for value in low_high if hasattr(dimension, "choice") else low_high[:1]:
            data = copy.deepcopy(base)
            try:
                assign(data, path, value)
                components.Workload.model_validate_json(json.dumps(data), strict=True)
            except KeyError:
                problems.append(document.problem(where, "no config has this path"))
            except ValidationError as error:
                for problem in _explain(error, Document({}), components.Workload, ()):
                    problems.append(document.problem(where, problem.message))
    return problems


# --- explaining pydantic's errors ---------------------------------------------------------------
def _explain(
    error: ValidationError, document: Document, root: type[BaseModel], prefix: Path_
) -> list[Problem]:
    """Turn pydantic's errors into sentences with a place and the nearest valid name."""
    schema = TypeAdapter(root).json_schema()
    problems = []
    for item in error.errors(include_url=False):
        path = prefix + _real_path(item["loc"], document)
        problems.append(document.problem(path, _sentence(dict(item), schema)))
    return problems


def _real_path(location: tuple[str | int, ...], document: Document) -> Path_:
    """Drop the union tags that pydantic mixes into a location."""
    path: Path_ = ()
    data: Any = document.data
    for i, part in enumerate(location):
        last = i == len(location) - 1
        if isinstance(data, dict) and part in data:
            path, data = (*path, part), data[part]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            path, data = (*path, part), data[part]
        elif last and not _is_tag(part):
            path = (*path, part)
    if document.data:
        return path
    return tuple(part for part in location if not _is_tag(part))


_TAGS = {name for kind in components.KINDS.values() for name in kind} | {
    "custom", "single", "composite", "function-before", "function-after",
    "IntegerRange", "UniformRange", "LogRange", "Choice", "str", "int", "float", "bool",
}  # fmt: skip


def _is_tag(part: str | int) -> bool:
    return isinstance(part, str) and (part in _TAGS or "[" in part)


def _sentence(item: dict[str, Any], schema: dict[str, Any]) -> str:
    kind, given, context = item["type"], item["input"], item.get("ctx", {})
    if kind == "extra_forbidden":
        fields = _fields_at(item["loc"], schema)
        listed = f" (known: {', '.join(sorted(fields))})" if fields else ""
        return f"unknown key '{item['loc'][-1]}'{nearest(item['loc'][-1], fields)}{listed}"
    if kind == "missing":
        return "is missing"
    if kind == "literal_error":
        valid = [part.strip("' ") for part in context["expected"].replace(" or ", ", ").split(",")]
        return f"'{given}' is not one of {', '.join(valid)}{nearest(given, valid)}"
    if kind == "union_tag_invalid":
        valid = [part.strip("' ") for part in context["expected_tags"].split(",")]
        valid = ["package.module:function" if name == "custom" else name for name in valid]
        return (
            f"'{context['tag']}' is not one of {', '.join(valid)}{nearest(context['tag'], valid)}"
        )
    if kind == "union_tag_not_found":
        return "needs a `name`"
    if kind in _TYPE_WORDS:
        return f"expected {_TYPE_WORDS[kind]}, found {_shown(given)}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return f"'{given}' does not have the form {context['pattern']}"
    message = str(item["msg"])
    return f"{message[0].lower()}{message[1:]}, found {_shown(given)}"


def _shown(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _fields_at(location: tuple[str | int, ...], schema: dict[str, Any]) -> list[str]:
    """List the keys that the schema allows where an unknown one was found."""
    definitions = schema.get("$defs", {})
    options = [schema]
    for part in location[:-1]:
        step: list[dict[str, Any]] = []
        for option in _expand(options, definitions):
            if isinstance(part, str) and part in option.get("properties", {}):
                step.append(option["properties"][part])
            elif isinstance(part, int) and "items" in option:
                step.append(option["items"])
            elif isinstance(option.get("additionalProperties"), dict) and not _is_tag(part):
                step.append(option["additionalProperties"])
            elif isinstance(part, str) and _names(option, part):
                step.append(option)
        options = step or options
    return sorted({name for o in _expand(options, definitions) for name in o.get("properties", {})})


def _names(option: dict[str, Any], tag: str) -> bool:
    """Tell whether a schema is the member of a union that carries this tag."""
    name = option.get("properties", {}).get("name", {})
    special = {"single": "metric", "composite": "all_of", "custom": "settings"}
    return name.get("const") == tag or special.get(tag, "\0") in option.get("properties", {})


def _expand(options: list[dict[str, Any]], definitions: dict[str, Any]) -> list[dict[str, Any]]:
    """Follow references and unions down to plain object schemas."""
    result: list[dict[str, Any]] = []
    queue = list(options)
    while queue:
        option = queue.pop()
        if "$ref" in option:
            queue.append(definitions[option["$ref"].rsplit("/", 1)[-1]])
        elif "oneOf" in option or "anyOf" in option:
            queue.extend(option.get("oneOf", option.get("anyOf", [])))
        else:
            result.append(option)
    return result


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a study file."""
    return Study.model_json_schema()


__all__ = ["LoadedStudy", "dotted", "load_study", "schema", "study_from_dict"]
