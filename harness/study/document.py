"""YAML to plain data, with the place of every value, and without executing anything.

Only mappings, lists and scalars are built (YAML 1.2 core schema: `no` is a word, `1e-3` a number).
Tags, merge keys, duplicate keys, non-finite numbers and documents that unfold beyond a limit are
refused, so that a file from a stranger is nothing worse than an error message.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.errors import InputError, Problem, in_main

Path_ = tuple[str | int, ...]
LARGEST_FILE = 1_000_000
MOST_VALUES = 20_000
DEEPEST = 40

_INTEGER = re.compile(r"[-+]?[0-9][0-9_]*")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NON_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {"null": None, "~": None, "": None, "true": True, "false": False}
_LOOKS_PLAIN = {
    **dict.fromkeys(("on", "yes", "y"), "true"),
    **dict.fromkeys(("off", "no", "n"), "false"),
    "true": "true",
    "false": "false",
    "null": "null",
    "none": "null",
}
_PLAIN_TAGS = {"tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}


class Unquoted(str):
    """A word that other readers of YAML take for true, false or null; here it is text.

    One that was written in quotes is an ordinary text.
    """

    @property
    def meant(self) -> str:
        """What a study file has in its place."""
        return _LOOKS_PLAIN[self.lower()]


@dataclass
class Document:
    """Plain data, and where each value and each key stands: path to (line, column).

    `files` has the paths whose values stand in another file (see `harness.study.inherit`).
    """

    data: dict[str, Any]
    file: str = ""
    positions: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    files: dict[Path_, str] = field(default_factory=dict)

    def problem(self, path: Path_, message: str, *, at_key: bool = False) -> Problem:
        """Place a message at a path, or at the nearest enclosing value that has a position."""
        if at_key and path in self.keys:
            line, column = self.keys[path]
            return Problem(message, self._file_of(path), line, column, dotted(path))
        at = path
        while at and at not in self.positions:
            at = at[:-1]
        if at not in self.positions:
            return Problem(message, self.file, path=dotted(path))
        line, column = self.positions[at]
        return Problem(message, self._file_of(at), line, column, dotted(path))

    def place_as(self, path: Path_, target: Path_) -> None:
        """Let everything at and below `target` stand where what is at `path` stands."""
        tables: list[dict[Path_, Any]] = [self.positions, self.keys, self.files]
        for places in tables:
            for at, place in list(places.items()):
                if at[: len(path)] == path:
                    places[target + at[len(path) :]] = place

    def _file_of(self, path: Path_) -> str:
        return self.files.get(path, self.file)


def dotted(path: Path_) -> str:
    """Write a path as `claims[2].metric`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read_yaml(file: Path) -> Document:
    """Read a YAML file.

    Raises:
        InputError: if it cannot be read, is empty, is no text, or is not plain YAML.
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError([Problem(f"cannot be read: {reason}", str(file))]) from None
    if len(raw) > LARGEST_FILE:
        raise InputError([Problem(f"is larger than {LARGEST_FILE:,} bytes", str(file))])
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError([Problem("is not a text file in UTF-8", str(file))]) from None
    return parse_document(text, str(file))


def document_of(data: Mapping[str, Any]) -> Document:
    """Take a study that is plain data already; its values have no place in a file.

    Numbers of NumPy, paths, and functions or classes that lie in a module, are taken for what a
    file would say.

    Raises:
        InputError: if it holds more than that, mappings, lists, texts, numbers, true, false, None.
    """
    try:
        text = json.dumps(data, allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the study is not plain data: {error}") from None
    plain = json.loads(text)
    if not isinstance(plain, dict):
        raise InputError("a study is a mapping that has `study`, its name")
    return Document(plain)


def _plain(value: Any) -> Any:
    """Return what a study file would say in place of a value of Python.

    Raises:
        TypeError: if there is no such thing.
    """
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return value.item()
    module, name = getattr(value, "__module__", ""), getattr(value, "__qualname__", "")
    if callable(value) and module and name.isidentifier():
        if module == "__main__":
            raise TypeError(in_main(name))
        return f"{module}:{name}"
    raise TypeError(f"{value!r} is of type {type(value).__name__}")


def parse_document(text: str, file: str = "") -> Document:
    """Parse YAML text whose root is a mapping; see `read_yaml`."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        message = f"is not valid YAML: {error.problem or error.context}"
        raise InputError([Problem(message, file, line, column)]) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError([Problem(f"is not valid YAML: {str(error).strip()}", file)]) from None
    if root is None:
        raise InputError([Problem("is empty; a study starts with `study: <name>`", file)])
    document = Document({}, file)
    data = _Builder(document).build(root, ())
    if not isinstance(data, dict):
        raise InputError(
            [Problem("must be a mapping that starts with `study: <name>`", file, 1, 1)]
        )
    document.data = data
    return document


def parse_value(text: str) -> Any:
    """Parse the right side of `--set path=value`: a YAML scalar, list or mapping."""
    document = parse_document(f"value: {text}", "--set")
    return document.data["value"]


_SAFE_WORD = re.compile(r"[A-Za-z][\w./-]*")


class _Dumper(yaml.SafeDumper):
    """Writes texts in quotes, but for words that no reader of YAML takes for anything else."""


def _text(dumper: _Dumper, text: str) -> yaml.Node:
    safe = _SAFE_WORD.fullmatch(text) and text.lower() not in _LOOKS_PLAIN
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, None if safe else '"')


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Unquoted, _text)


def write_yaml(data: Mapping[str, Any]) -> str:
    """Write plain data as YAML that `read_yaml` reads back to the same; keys keep their order."""
    return yaml.dump(
        dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100,
        default_flow_style=None,
    )  # fmt: skip


class _Builder:
    """Turns YAML nodes into plain values, counting them so that no alias bomb unfolds."""

    def __init__(self, document: Document):
        self.document = document
        self.built = 0

    def fail(self, node: yaml.Node, path: Path_, message: str) -> InputError:
        mark = node.start_mark
        place = (mark.line + 1, mark.column + 1)
        return InputError([Problem(message, self.document.file, *place, path=dotted(path))])

    def build(self, node: yaml.Node, path: Path_) -> Any:
        self.built += 1
        if self.built > MOST_VALUES:
            raise self.fail(node, path, f"the file unfolds to more than {MOST_VALUES:,} values")
        if len(path) > DEEPEST:
            raise self.fail(node, path[:3], f"is nested more than {DEEPEST} levels deep")
        mark = node.start_mark
        self.document.positions[path] = (mark.line + 1, mark.column + 1)
        if isinstance(node, yaml.MappingNode):
            self._refuse_tag(node, path)
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            self._refuse_tag(node, path)
            return [self.build(child, (*path, i)) for i, child in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, path)

    def _refuse_tag(self, node: yaml.Node, path: Path_) -> None:
        if node.tag not in _PLAIN_TAGS:
            raise self.fail(
                node, path, f"tag {node.tag!r} is not allowed; a study file is plain data"
            )

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self.fail(key_node, path, "a key must be a word")
            key = key_node.value
            if key == "<<":
                raise self.fail(key_node, path, "merge keys (<<) are not supported")
            if key in result:
                raise self.fail(key_node, (*path, key), "this key stands here twice")
            mark = key_node.start_mark
            self.document.keys[(*path, key)] = (mark.line + 1, mark.column + 1)
            result[key] = self.build(value_node, (*path, key))
        return result

    def _scalar(self, node: yaml.ScalarNode, path: Path_) -> Any:
        text = str(node.value)
        if node.style in ("'", '"', "|", ">"):
            self._refuse_tag(node, path)
            return text
        if not node.tag.startswith("tag:yaml.org,2002:") or node.tag.endswith(":binary"):
            self._refuse_tag(node, path)
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            if len(text) > 18:
                raise self.fail(node, path, "this number is too long")
            return int(text.replace("_", ""))
        if _FLOAT.fullmatch(text):
            value = float(text.replace("_", ""))
            if value in (float("inf"), float("-inf")):
                raise self.fail(node, path, "this number is too large")
            return value
        if _NON_FINITE.fullmatch(text):
            raise self.fail(node, path, "infinite and not-a-number values are not allowed")
        looks_plain = text.lower() in _LOOKS_PLAIN and text != "none"  # `none` is a common name
        return Unquoted(text) if looks_plain else text


def assign(target: dict[str, Any], path: str, value: Any) -> None:
    """Set a dotted path in nested mappings, in place; a mapping value merges into a mapping.

    A mapping with another `name` is another component and replaces the old one. A component
    written as a bare name (`optimizer: adam`) becomes a mapping on the way, so that `optimizer.lr`
    can be set on it. A key that itself has dots (`search.space.optimizer.lr`) is found if it is
    there. List elements are addressed by their index.

    Raises:
        KeyError: if the path leads through something that is neither mapping, list nor name.
    """
    node: Any = target
    parts = path.split(".")
    while len(parts) > 1 and not (isinstance(node, dict) and ".".join(parts) in node):
        node = _step_into(node, parts.pop(0))
    key: Any = ".".join(parts)
    if isinstance(node, list):
        node[_index(node, key)] = value
    else:
        _merge(node, {key: value})


def _step_into(node: Any, part: str) -> Any:
    if isinstance(node, list):
        return node[_index(node, part)]
    child = node.get(part)
    if isinstance(child, str):
        child = {"name": child}
    elif child is None:
        child = {}
    elif not isinstance(child, (dict, list)):
        raise KeyError(part)
    node[part] = child
    return child


def _merge(target: dict[str, Any], update: dict[str, Any]) -> None:
    for key, value in update.items():
        old = target.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and same_component(old, value):
            _merge(old, value)
        else:
            target[key] = value


def same_component(old: dict[str, Any], update: dict[str, Any]) -> bool:
    """Whether a mapping goes on with the component that is there, and does not name another."""
    return "name" not in update or update["name"] == old.get("name")


def _index(items: list[Any], part: str) -> int:
    if not part.isdecimal() or int(part) >= len(items):
        raise KeyError(part)
    return int(part)
