"""Published files back to records. Nothing in a file is run: it is gzip and JSON, and checked."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from harness.publish.curves import to_points
from harness.publish.unpack import PublishedError, load_beginning, load_document
from harness.publish.write import FORMAT, VERSION, file_name
from harness.store import AssignedRecord, Execution, Look
from harness.store.outcomes import unpack_outcomes
from harness.study import study_from_dict
from harness.trial import Outcomes, Phase, Record

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{16}")
_CONTEXT = ("overrides", "fingerprints", "environment", "duplicates", "imported", "registered",
            "profiles")  # fmt: skip
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class PublishedFile:
    """What one published file holds.

    Attributes:
        file: where it lies.
        execution: the execution, as its own results folder knew it.
        judged: (claim, hash of its declaration, moment) for every claim that met its evidence.
        looks_before: the earlier looks at its confirmation trials, where they were published, the
            oldest first; None in a file of a version that did not write them down.
        lost: (trial_id, attempt, cause) of attempts that ended without a record.
        others: how many earlier executions, where it ran, had other timing blocks.
        items: the assignments in planned order, each with its record.
        by_example: what each test example came out as, by trial; files of older versions have none.
    """

    file: Path
    execution: Execution
    judged: tuple[tuple[str, str, float], ...]
    looks_before: tuple[Look, ...] | None
    lost: tuple[tuple[str, int, str], ...]
    items: tuple[AssignedRecord, ...]
    by_example: Mapping[str, Outcomes] = field(default_factory=dict, compare=False, repr=False)
    others: int = 0

    @property
    def data(self) -> set[str]:
        """The fingerprints of the data sets that it is about."""
        return set(map(str, self.execution.context.get("fingerprints", {}).values()))

    def slim(self) -> PublishedFile:
        """Return what tells who has looked at what: no candidates, curves or outcomes."""
        items = tuple(
            replace(item, record=replace(item.record, curve=()))
            for item in self.items
            if item.record is not None and item.phase is not Phase.SEARCH
        )
        return replace(self, items=items, by_example={})

    def timed_otherwise(self, execution: int) -> int:
        """Return how many earlier executions had other timing blocks, where it ran."""
        return self.others if execution == self.execution.id else 0

    def looks(self, execution: int) -> Sequence[Look]:
        """Return the earlier looks at the confirmation trials, as they were known where it ran."""
        return (self.looks_before or ()) if execution == self.execution.id else ()

    def assigned_records(self, execution: int) -> Iterator[AssignedRecord]:
        """Return what the execution's trials were for, each with its record."""
        return iter(self.items if execution == self.execution.id else ())

    def lost_attempts(self, trial_ids: Iterable[str]) -> list[tuple[str, int, str]]:
        """Return (trial_id, attempt, cause) of the attempts of these trials that were lost."""
        wanted = set(trial_ids)
        return [row for row in self.lost if row[0] in wanted]

    def outcomes(self, trial_ids: Iterable[str]) -> dict[str, Outcomes]:
        """Return what each test example came out as in these trials, where it was recorded."""
        return {id_: self.by_example[id_] for id_ in trial_ids if id_ in self.by_example}


def data_of(file: Path) -> set[str]:
    """Return the fingerprints of the data sets that a file is about, without reading its records.

    Raises:
        PublishedError: if it cannot be unpacked, or is damaged where they stand.
    """
    match load_beginning(file, "execution"):
        case {"context": {"fingerprints": {**fingerprints}}}:
            return set(map(str, fingerprints.values()))
    return read_file(file).data


def read_file(file: Path) -> PublishedFile:
    """Read and check one published file.

    Raises:
        PublishedError: if it is damaged, too large, too new, or not what its name says.
    """
    document = _Part(file, "", load_document(file))
    kind = document.get("format", str)
    if kind != FORMAT:
        raise document.wrong("format", f"is '{kind}', not '{FORMAT}'")
    version = document.get("version", int)
    if version > VERSION:
        raise document.wrong("version", "was written by a newer version of harness; update harness")
    execution = _execution(document.part("execution"))
    if file.name != file_name(execution.study, execution.profile):
        shown = f"study {execution.study}, profile {execution.profile}"
        raise document.wrong("execution", f"is of {shown}, which does not fit the file's name")
    records = _records(document)
    rows = document.get("assignments", list)
    items = tuple(_assignment(document, i, row, records) for i, row in enumerate(rows))
    return PublishedFile(
        file,
        execution,
        tuple(_rows(document, "judged", (str, str, float))),
        _looks(document),
        tuple(_rows(document, "lost", (str, int, str))),
        items,
        _outcomes(document),
        document.get("timed_otherwise", int) if "timed_otherwise" in document.fields else 0,
    )


@dataclass(frozen=True)
class _Part:
    """A mapping inside a file, which knows where it stands."""

    file: Path
    path: str
    fields: Any

    def wrong(self, name: str, message: str) -> PublishedError:
        """Return the error that names the file, the place and what is wrong there."""
        place = f"{self.path}.{name}" if self.path and name else self.path or name
        return PublishedError(f"'{self.file}': {place or 'its content'} {message}")

    def get(self, name: str, kind: type[_Value]) -> _Value:
        """Return a field of this kind."""
        if not isinstance(self.fields, Mapping):
            raise self.wrong("", "is no mapping")
        if name not in self.fields:
            raise self.wrong(name, "is missing")
        value = self.fields[name]
        if not _is(value, kind):
            raise self.wrong(name, f"is no {_KINDS[kind]}")
        return value  # type: ignore[no-any-return]

    def optional(self, name: str, kind: type[_Value]) -> _Value | None:
        """Return a field of this kind, or None where it is null."""
        if isinstance(self.fields, Mapping) and name in self.fields and self.fields[name] is None:
            return None
        return self.get(name, kind)

    def part(self, name: str) -> _Part:
        """Return a field that is a mapping."""
        place = f"{self.path}.{name}" if self.path else name
        return _Part(self.file, place, self.get(name, dict))


_KINDS: dict[type, str] = {
    str: "text", int: "whole number", float: "number", bool: "true or false", list: "list",
    dict: "mapping",
}  # fmt: skip


def _is(value: Any, kind: type) -> bool:
    if kind in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, int | float if kind is float else kind)


def _execution(part: _Part) -> Execution:
    """Read the execution; its study and profile name folders, and so must be names."""
    execution = Execution(
        id=part.get("id", int),
        study=part.get("study", str),
        profile=part.get("profile", str),
        plan_hash=part.get("plan_hash", str),
        declaration=part.get("declaration", dict),
        context=part.get("context", dict),
        started=part.get("started", float),
        ended=part.optional("ended", float),
        status=part.get("status", str),
        wall_seconds=part.optional("wall_seconds", float),
    )
    for name in ("study", "profile"):
        if not _NAME.fullmatch(getattr(execution, name)):
            raise part.wrong(name, f"'{getattr(execution, name)}' is no name")
    if not _DIGEST.fullmatch(execution.plan_hash):
        raise part.wrong("plan_hash", "is no hash")
    for name in _CONTEXT:
        if not isinstance(execution.context.get(name, {}), dict):
            raise part.wrong(f"context.{name}", "is no mapping")
    if not isinstance(execution.context.get("imported", {}).get("notes", []), list):
        raise part.wrong("context.imported.notes", "is no list")
    for costs in execution.context.get("forecast", {}).values():
        if not isinstance(costs, dict) or not all(_is(cost, float) for cost in costs.values()):
            raise part.wrong("context.forecast", "holds something else than numbers by arm")
    if not isinstance(execution.context.get("file"), str):
        raise part.wrong("context.file", "is no text")
    try:
        study, _ = study_from_dict(execution.declaration)
    except (ValueError, KeyError, TypeError) as error:
        first = str(error).strip().partition("\n")[2].strip() or str(error)
        reason = " ".join(first.split())[:300]
        raise part.wrong("declaration", f"is no study that this version reads: {reason}") from None
    if study.study != execution.study:
        raise part.wrong("declaration", f"is of the study '{study.study}'")
    return execution


def _looks(document: _Part) -> tuple[Look, ...] | None:
    """Read the looks; what they declared is read where they are told of, and told if it cannot."""
    if "looks" not in document.fields:
        return None
    shared, found = document.get("shared", list), []
    for index, fields in enumerate(document.get("looks", list)):
        part = _Part(document.file, f"looks[{index}]", fields)
        for name in ("trials", "arms"):
            if not all(isinstance(value, str) for value in part.get(name, list)):
                raise part.wrong(name, "is no list of texts")
        found.append(
            Look(
                part.get("study", str),
                part.get("profile", str),
                part.get("at", float),
                _shared(part, "declaration", shared, dict),
                frozenset(fields["trials"]),
                frozenset(fields["arms"]),
                part.get("judged", bool),
                part.get("profiles", dict),
            )
        )
    return tuple(found)


def _records(document: _Part) -> dict[str, Record]:
    shared = document.get("shared", list)
    found = document.part("records")
    return {id_: _record(found, id_, shared) for id_ in found.fields}


def _record(records: _Part, id_: str, shared: list[Any]) -> Record:
    part = records.part(id_)
    if not _DIGEST.fullmatch(id_):
        raise part.wrong("", "is no id of a trial")
    trial = part.part("trial")
    fields = {
        **part.fields,
        "trial": {
            **trial.fields,
            "workload": _shared(trial, "workload", shared, dict),
            "probes": _shared(trial, "probes", shared, list),
        },
        "environment": _shared(part, "environment", shared, dict),
    }
    for name in ("metrics", "cost"):
        if not all(_is(value, float) for value in part.get(name, dict).values()):
            raise part.wrong(name, "holds something else than numbers")
    if not all(
        isinstance(row, list) and any(all(_is(v, kind) for v in row) for kind in (float, str))
        for row in part.get("details", dict).values()
    ):
        raise part.wrong("details", "holds something else than lists of numbers or of texts")
    part.get("reason", str)
    part.optional("selected_epoch", int)
    return _checked(
        part, lambda: Record.from_dict({**fields, "curve": to_points(part.get("curve", dict))})
    )


def _outcomes(document: _Part) -> dict[str, Outcomes]:
    if "outcomes" not in document.fields:
        return {}
    part = document.part("outcomes")
    found: dict[str, Outcomes] = {}
    for id_ in part.fields:
        text = part.get(id_, str)
        found[id_] = _checked(
            _Part(document.file, f"outcomes.{id_}", text), partial(_of_example, text)
        )
    return found


def _of_example(text: str) -> Outcomes:
    return unpack_outcomes(b64decode(text, validate=True))


def _shared(part: _Part, name: str, shared: list[Any], kind: type[_Value]) -> _Value:
    place = part.get(name, int)
    if not 0 <= place < len(shared) or not isinstance(shared[place], kind):
        raise part.wrong(name, f"points to no {_KINDS[kind]} among what is shared")
    found: _Value = shared[place]
    return found


def _assignment(
    document: _Part, index: int, row: Any, records: Mapping[str, Record]
) -> AssignedRecord:
    part = _Part(document.file, f"assignments[{index}]", row)
    if not isinstance(row, list) or len(row) != 7:
        raise part.wrong("", "is no list of 7 values")
    trial_id, arm, phase, candidate, parameters, seed, reused = row
    kinds = ((trial_id, str), (arm, str), (parameters, dict), (seed, int), (reused, bool))
    if not all(_is(value, kind) for value, kind in kinds):
        raise part.wrong("", "holds a value of the wrong kind")
    if candidate is not None and not _is(candidate, int):
        raise part.wrong("", "has a candidate that is no whole number")
    record = records.get(trial_id)
    return _checked(
        part,
        lambda: AssignedRecord(
            arm, Phase(phase), candidate, parameters, seed, reused, trial_id, record
        ),
    )


def _rows(document: _Part, name: str, kinds: tuple[type, type, type]) -> list[Any]:
    rows = document.get(name, list)
    for index, row in enumerate(rows):
        fits = isinstance(row, list) and len(row) == len(kinds)
        if not fits or not all(_is(value, kind) for value, kind in zip(row, kinds, strict=True)):
            raise document.wrong(f"{name}[{index}]", "holds a value of the wrong kind")
    return [tuple(row) for row in rows]


def _checked(part: _Part, build: Callable[[], _Value]) -> _Value:
    try:
        return build()
    except (ValueError, TypeError, KeyError) as error:
        raise part.wrong("", f"cannot be read: {error}") from None
