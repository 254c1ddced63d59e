"""What is wrong with a study file, in sentences a person can act on, and what would be right."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from harness.components.base import FUNCTION
from harness.errors import Problem, nearest
from harness.plugins import Kind as PluginKind
from harness.plugins import plugins
from harness.registry import KINDS
from harness.study.document import Document, Path_
from harness.study.inherit import EXTENDS, MATRIX
from harness.study.model import Study

Schema = Callable[[], dict[str, Any]]

_TYPE_WORDS = {
    "int_type": "a whole number", "float_type": "a number", "string_type": "a word or text",
    "bool_type": "true or false", "list_type": "a list", "dict_type": "a mapping",
    "model_type": "a mapping", "model_attributes_type": "a mapping",
    "int_from_float": "a whole number",
}  # fmt: skip


def explain(error: ValidationError, document: Document, root: type[BaseModel]) -> list[Problem]:
    """Turn pydantic's errors into sentences with a place and the nearest valid name."""
    # it imports all there is, which takes a third of a second: asked for unknown keys only
    schema = cache(lambda: TypeAdapter(root).json_schema())
    problems = []
    found = [dict(item) for item in error.errors(include_url=False)]
    for alternatives in closest(found, _is_plain_member):
        item = alternatives[0]
        path = _real_path(item["loc"], document, is_key=item["type"] == "missing")
        is_key = item["type"] == "extra_forbidden"
        if is_key and (known := _registered_fields(path, document)):
            sentence = _unknown(item["loc"][-1], known)
        else:
            sentence = _one_of(alternatives, schema)
        problems.append(document.problem(path, sentence, at_key=is_key))
    return problems


def _one_of(alternatives: list[dict[str, Any]], schema: Schema) -> str:
    """Say what was expected; of several forms, all in one sentence."""
    kinds = [item["type"] for item in alternatives]
    if len(kinds) > 1 and all(kind in _TYPE_WORDS for kind in kinds):
        words = dict.fromkeys(_TYPE_WORDS[kind] for kind in kinds)
        return f"expected {' or '.join(words)}, found {_shown(alternatives[0]['input'])}"
    meant = next((item for item in alternatives if item["type"] not in _TYPE_WORDS), None)
    return _sentence(meant or alternatives[0], schema)


def _is_plain_member(part: str | int) -> bool:
    """Tell whether a part of a location is a member of a union that has no tag to choose by."""
    return isinstance(part, str) and (part in _PLAIN_MEMBERS or "[" in part)


def _real_path(
    location: tuple[str | int, ...], document: Document, *, is_key: bool = False
) -> Path_:
    """Drop the union tags that pydantic mixes into a location; `is_key`: the last part is none."""
    path: Path_ = ()
    data: Any = document.data
    part: Any
    for i, part in enumerate(location):
        last = i == len(location) - 1
        if (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        ):
            path, data = (*path, part), data[part]
        elif last and (is_key or not _is_tag(part)):
            path = (*path, part)
    if document.data:
        return path
    return tuple(part for part in location if not _is_tag(part))


def _has(data: Any, part: Any) -> bool:
    if isinstance(data, list):
        return isinstance(part, int) and part < len(data)
    return isinstance(data, dict) and part in data


_PLAIN_MEMBERS = {
    "IntegerRange", "UniformRange", "LogRange", "Choice", "str", "int", "float", "bool",
    "constrained-float", "constrained-int",
}  # fmt: skip
_FAMILIES = {family.written for kind in KINDS.values() for family in kind.families}
_NAMES = {name for kind in KINDS.values() for name in kind.own()} | _FAMILIES
_TAGS = _PLAIN_MEMBERS | _NAMES | {
    "custom", "own_training", "mlflow", "single", "composite", "plain_test", "registered_test",
    "fixed", "instalments", "named_metric", "described_metric", "function-before", "function-after",
}  # fmt: skip


_PLUGGED: dict[str | int, PluginKind] = {
    "model": "models", "data": "data", "optimizer": "optimizers", "schedule": "schedules",
    "loss": "losses", "task": "tasks", "probes": "probes", "design": "designs",
    "sampler": "samplers", "pruning": "pruners",
}  # fmt: skip
_WRITTEN = {"custom": "package.module:function"}


def _is_tag(part: str | int) -> bool:
    return isinstance(part, str) and (part in _TAGS or "[" in part)


def _sentence(item: dict[str, Any], schema: Schema) -> str:
    kind, given, context = item["type"], item["input"], item.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(item["loc"][-1], _fields_at(item["loc"], schema()))
    if kind == "missing":
        return "is missing"
    if kind == "literal_error":
        valid = [part.strip("' ") for part in context["expected"].replace(" or ", ", ").split(",")]
        return f"'{given}' is not one of {', '.join(valid)}{nearest(given, valid)}"
    if kind == "union_tag_invalid":
        valid = [part.strip("' ") for part in context["expected_tags"].split(",")]
        valid = [_WRITTEN.get(name, name) for name in valid]
        named = next((part for part in reversed(item["loc"]) if not isinstance(part, int)), "")
        valid += plugins(_PLUGGED[named]) if named in _PLUGGED else ()
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
        form = "package.module:function" if context["pattern"] == FUNCTION else context["pattern"]
        return f"'{given}' does not have the form {form}"
    message = str(item["msg"])
    return f"{message[0].lower()}{message[1:]}, found {_shown(given)}"


def _unknown(key: str | int, fields: list[str]) -> str:
    listed = f" (known: {', '.join(sorted(fields))})" if fields else ""
    return f"unknown key '{key}'{nearest(str(key), fields)}{listed}"


def _registered_fields(path: Path_, document: Document) -> list[str]:
    """List the keys of a class that a package registers, where an unknown one was found."""
    data: Any = document.data
    for part in path[:-1]:
        data = data[part] if _has(data, part) else None
    named = next((part for part in reversed(path[:-1]) if isinstance(part, str)), "")
    kind = KINDS.get(_PLUGGED.get(named, ""))
    name = data.get("name") if isinstance(data, dict) else None
    plugin = kind.plugin(name) if kind is not None and isinstance(name, str) else None
    if kind is None or plugin is None or not plugin.is_class:
        return []
    return list(getattr(kind.find(plugin.name), "model_fields", ()))


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
            elif "patternProperties" in option and not _is_tag(part):
                step += option["patternProperties"].values()
            elif isinstance(part, str) and _names(option, part):
                step.append(option)
        options = step or options
    return sorted({name for o in _expand(options, definitions) for name in o.get("properties", {})})


def _names(option: dict[str, Any], tag: str) -> bool:
    """Tell whether a schema is the member of a union that carries this tag."""
    name = option.get("properties", {}).get("name", {})
    special = {
        "single": "metric", "plain_test": "metric", "registered_test": "metric",
        "composite": "all_of", "custom": "settings",
        "own_training": "settings", **dict.fromkeys(_FAMILIES, "settings"),
    }  # fmt: skip
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


Location = tuple[str | int, ...]
Item = dict[str, Any]


def closest(errors: Sequence[Item], is_member: Callable[[str | int], bool]) -> list[list[Item]]:
    """Group errors that are one mistake, and leave out those of forms that were not meant.

    Args:
        errors: as pydantic lists them.
        is_member: whether a part of a location is the name of a union's member.

    Returns:
        Groups in the order of the errors; most hold one, several if forms are equally far off.
    """
    unions: dict[Location, dict[str | int, list[Item]]] = {}
    groups: list[list[Item] | Location] = []
    for error in errors:
        place = next((i for i, part in enumerate(error["loc"]) if is_member(part)), None)
        if place is None:
            groups.append([error])
            continue
        union = error["loc"][:place]
        if union not in unions:
            groups.append(union)
        unions.setdefault(union, {}).setdefault(error["loc"][place], []).append(error)
    found: list[list[Item]] = []
    for group in groups:
        found += [group] if isinstance(group, list) else _nearest_members(unions[group])
    return found


def _nearest_members(members: dict[str | int, list[Item]]) -> list[list[Item]]:
    fewest = min(len(errors) for errors in members.values())
    nearest = [errors for errors in members.values() if len(errors) == fewest]
    if fewest == 1 and len(nearest) > 1:
        return [[errors[0] for errors in nearest]]
    return [[error] for error in nearest[0]]


EXAMPLES = {
    "study": "study: my-question",
    "question": "question: Does the activation matter?",
    "workload": "workload: {data: digits, model: {name: mlp, depth: 2}, epochs: 10}",
    "simple_baseline": "simple_baseline: none",
    "factors": "factors: {activation: {path: model.activation, levels: [relu, tanh]}}",
    "design": "design: one-at-a-time",
    "arms": "arms: {linear: {model.depth: 0}}",
    "search": "search: {space: {optimizer.lr: {log: [1.0e-4, 1.0e-1]}}, candidates: 8}",
    "pretraining": "pretraining: {source: {data.classes: [0, 1, 2, 3, 4]}}",
    "stages": "stages: {large: {model.width: 512}}",
    "seeds": "seeds: 8",
    "probes": "probes: [gradient_norms, {name: step_time, steps: 100}]",
    "timing": "timing: {measure: [step, inference], blocks: 8}",
    "claims": "claims: [{id: relu-wins, says: ReLU beats tanh, metric: test.accuracy, "
    "contrast: {activation: [relu, tanh]}, greater_by: 0.01}]",
    "alpha": "alpha: 0.05",
    "generalize": "generalize: seeds_and_examples",
    "resources": "resources: {cpus: 2}",
    "prices": "prices: {device_hour: 2.5, currency: EUR, grams_per_kwh: 380}",
    "profiles": "profiles: {quick: {workload.epochs: 2, seeds: 6}}",
    MATRIX: "matrix: {data: {digits: {}, wine: {workload.data: {name: table, source: wine}}}}",
    EXTENDS: "extends: activations",
}


def explain_problem(problem: Problem) -> list[str]:
    """Return lines that show a mistake in its file, what the part is for, and one that is right."""
    lines = _excerpt(problem)
    key = re.split(r"[.\[]", problem.path, maxsplit=1)[0]
    field = Study.model_fields.get(key)
    if field is not None and field.description:
        lines.append(f"  {key}: {field.description}")
    if key in EXAMPLES:
        lines.append(f"  for example: {EXAMPLES[key]}")
    return lines


def _excerpt(problem: Problem) -> list[str]:
    """Return the line of a mistake with a mark below its place."""
    if problem.line is None or problem.column is None or not Path(problem.file).is_file():
        return []
    text = Path(problem.file).read_text(encoding="utf-8", errors="replace").splitlines()
    if problem.line > len(text):
        return []
    shown = f"  {problem.line} | "
    return [shown + text[problem.line - 1], " " * (len(shown) + problem.column - 1) + "^"]
