"""The pages of the documentation: those that are made from the code, and those that lie there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer

from harness.augmentations import mapping_of
from harness.cli.forms import forms
from harness.components.base import Component
from harness.components.transfer import Transfer
from harness.registry import AUGMENTATIONS, FIGURES, KINDS, PANELS
from harness.study.claims import CompositeClaim, SingleClaim
from harness.study.explain import EXAMPLES
from harness.study.model import Factor, Study
from harness.study.search import Search
from harness.study.workload import Workload

BY_NAME: Mapping[str, Mapping[str, type[Component]]] = {
    **{things: kind.listed() for things, kind in KINDS.items()},
}  # fmt: skip
PARTS: Mapping[str, type[Component]] = {
    "workload": Workload, "factors": Factor, "search": Search, "claims": SingleClaim,
    "claims of several parts": CompositeClaim, "transfer": Transfer,
    "augmentation": mapping_of(AUGMENTATIONS.own()),
}  # fmt: skip


def study_file() -> str:
    """Return the page about study files."""
    parts = ["# Study file\n", "A study is a YAML file with these keys.\n", _fields(Study)]
    parts += ["## A line of each\n", "```text", *EXAMPLES.values(), "```\n"]
    for title, model in PARTS.items():
        parts += [f"## {title[0].upper()}{title[1:]}\n", _first_line(model), _fields(model)]
    for kind, models in BY_NAME.items():
        parts.append(f"## {kind[0].upper()}{kind[1:]} by name\n")
        for name, model in models.items():
            parts += [f"### `{name}`\n", f"{cleandoc(model.__doc__ or '')}\n", _fields(model)]
    return "\n".join(part for part in parts if part).rstrip() + "\n"


def commands() -> str:
    """Return the page about commands."""
    parts = ["# Commands\n"]
    parts.append(
        "Exit status: 0 done, 1 some trials failed, 2 the input is wrong, 130 interrupted.\n"
    )
    parts.append("`harness --install-completion` lets a shell complete commands and options.\n")
    from harness.cli.app import app  # which has the commands, this page among them

    group: Any = typer.main.get_command(app)
    for name, command in sorted(_each_command(group)):
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        usage = "".join(f" {argument.metavar or argument.name.upper()}" for argument in arguments)
        parts.append(f"## `harness {name}{usage}`\n")
        parts.append(f"{' '.join((command.help or '').split())}\n")
        options = [p for p in command.params if p.param_type_name == "option"]
        if options:
            parts += ["| option | what it does | default |", "|---|---|---|"]
            parts += [_option(option) for option in options] + [""]
    return "\n".join(parts).rstrip() + "\n"


def _each_command(group: Any) -> Iterator[tuple[str, Any]]:
    """Return the commands by name, those of groups as well."""
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield name, command
        if hasattr(command, "list_commands"):
            yield from ((f"{name} {below}", one) for below, one in _each_command(command))


def reports() -> str:
    """Return the page about the panels and figures of a report."""
    parts = ["# Panels and figures of a report\n", "How to add one: [reports](../reports.md).\n"]
    for title, kind in (("Panels", PANELS), ("Figures", FIGURES)):
        parts += [f"## {title}\n", "| name | what it shows |", "|---|---|"]
        parts += [f"| `{name}` | {_cell(kind.about(name))} |" for name in kind.names()] + [""]
    return "\n".join(parts).rstrip() + "\n"


def _option(option: Any) -> str:
    default = option.default
    shown = "" if default in (None, False) or callable(default) else f"`{default}`"
    return f"| `{', '.join(option.opts)}` | {_cell(option.help or '')} | {shown} |"


def _fields(model: type[Component]) -> str:
    """Return a table of the keys of a part."""
    schema = model.model_json_schema()
    plain = {name: one for name, one in schema.get("$defs", {}).items() if "properties" not in one}
    rows = []
    for key, field in schema.get("properties", {}).items():
        if key == "name" and "const" in field:
            continue
        default = "required" if key in schema.get("required", ()) else _shown(field.get("default"))
        rows.append(f"| `{key}` | {_type(field, plain)} | {default} | {_cell(_says(field))} |")
    if not rows:
        return ""
    return "\n".join(["| key | is | default | |", "|---|---|---|---|", *rows, ""])


def _says(field: Mapping[str, Any]) -> str:
    limits = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    found = [f"{sign} {field[key]:g}" for key, sign in limits.items() if key in field]
    return "; ".join(part for part in (field.get("description", ""), ", ".join(found)) if part)


def _type(field: Mapping[str, Any], plain: Mapping[str, Any]) -> str:
    """Say what a field takes; `plain` are definitions that are no part of their own."""
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    for union in ("anyOf", "oneOf"):
        if union in field:
            return _joined(_type(option, plain) for option in field[union])
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return _type(plain[name], plain) if name in plain else name
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}), plain)}"
    words = {"string": "text", "number": "number", "integer": "whole number", "boolean": "true or "
             "false", "object": "mapping", "null": "nothing"}  # fmt: skip
    return words.get(str(field.get("type")), "anything")


def _joined(words: Iterable[str]) -> str:
    found = list(dict.fromkeys(words))
    return " or ".join(found) if len(found) <= 4 else "one of those below, by name"


def _shown(value: Any) -> str:
    if value is None:
        return ""
    text = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
    return f"`{text}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _first_line(model: type[Component]) -> str:
    return f"{(model.__doc__ or '').strip().partition(chr(10))[0]}\n"


def documents() -> str:
    """Return the page about what `--json` prints."""
    parts = [
        "# JSON documents\n",
        "With `--json` a command prints one document on standard output and nothing else; what user"
        " code prints goes to standard error. `harness schema COMMAND` prints the JSON Schema of"
        " its document, which is exact; a later version may add keys, and takes none away.\n",
    ]
    for name, form in forms().items():
        schema = form.json_schema()
        parts += [f"## `{name} --json`\n", *_document(schema, schema.get("$defs", {}))]
    return "\n".join(parts).rstrip() + "\n"


def _document(schema: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    """Return what a document is, and the keys of each mapping in it."""
    if "anyOf" in schema:
        names = [_type(option, {}) for option in schema["anyOf"]]
        lines = [f"{' or '.join(names)}.\n"]
    elif "properties" in schema:
        lines = [*_keys(schema), ""]
    else:
        lines = [f"A {_type(schema, {})}.\n"]
    for name, below in known.items():
        if "properties" in below:
            lines += [f"**{name}**: {below.get('description', '')}\n", *_keys(below), ""]
    return lines


def _keys(schema: Mapping[str, Any]) -> list[str]:
    required = schema.get("required", ())
    rows = [
        f"| `{key}` | {_type(field, {})} | {_cell(_says(field))}"
        f"{'' if key in required else ' (may be absent)'} |"
        for key, field in schema["properties"].items()
    ]
    return ["| key | is | |", "|---|---|---|", *rows]


PAGES: Mapping[str, Callable[[], str]] = {
    "study-file": study_file, "commands": commands, "panels": reports, "documents": documents,
}  # fmt: skip
"""Pages that are made from the code, by name."""
FOLDER = Path(__file__).parent.parent / "pages"
"""The pages that were written by hand: a link to `docs/`; files in an installed package."""
EXAMPLES_FOLDER = FOLDER.with_name("examples")
"""Studies of other people's code: likewise, of `examples/`."""


def names() -> list[str]:
    """Return the names of all pages."""
    return [*sorted(_written()), *PAGES]


def pages() -> dict[str, str]:
    """Return the title of every page by its name; it takes making those that the code makes."""
    return {name: _title(page(name)) for name in names()}


def page(name: str) -> str:
    """Return the text of a page in Markdown, or that of an example.

    Raises:
        KeyError: if there is none of this name.
    """
    if name in PAGES:
        return PAGES[name]()
    return _written()[name].read_text(encoding="utf-8")


def _written() -> dict[str, Path]:
    found = {file.stem: file for file in FOLDER.glob("*.md")}
    suffixes = (".py", ".yaml")
    examples = (file for file in EXAMPLES_FOLDER.glob("*") if file.suffix in suffixes)
    return found | {f"examples/{file.name}": file for file in examples}


def _title(text: str) -> str:
    """Return the heading of a page, the first line of a module, or the question of a study."""
    marks = ("# ", '"""', "question: ")
    said = (line.removeprefix(mark) for line in text.splitlines() for mark in marks
            if line.startswith(mark) and not line.startswith("# yaml-"))  # fmt: skip
    return next(said, "").rstrip('"')
