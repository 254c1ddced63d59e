"""Study files that say more than they spell out: `extends: base.yaml`, and `matrix:`.

What an extending file says goes first. Mappings merge, key by key; a component of another name, a
list and a plain value replace what was there. A matrix names axes, and every combination of their
labels is a profile: two data sets by two models give `digits-small`, `digits-large`, `wine-small`
and `wine-large`. What a later axis says goes before what an earlier one says.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import InputError, Problem, nearest
from harness.study.bundled import bundled_studies
from harness.study.design import leaves
from harness.study.document import Document, Path_, read_yaml, same_component
from harness.study.dropped import dropped

EXTENDS = "extends"
LONGEST_CHAIN = 10


def read_document(source: Path | Document) -> Document:
    """Read a study (a file, or a document that is read already) and what it extends into one.

    Every value keeps the file, line and column where it stands.

    Raises:
        InputError: if one of the files cannot be read or is not plain YAML, if the chain has no
            end, or if the file gives itself no name.
    """
    chain = _chain(source if isinstance(source, Document) else read_yaml(source))
    document = chain.pop()
    while chain:
        _lay_over(document, chain.pop())
    return document


def files_of(file: Path) -> list[Path]:
    """Return a study file and those that it extends, nearest first; as many as can be read."""
    try:
        return [Path(document.file) for document in _chain(read_yaml(file))]
    except InputError:
        return [file]


def _chain(start: Document) -> list[Document]:
    documents = [start]
    seen = {Path(start.file).resolve()}
    while EXTENDS in documents[-1].data:
        last = documents[-1]
        base = _find_base(last, Path(last.file).parent)
        if base.resolve() in seen or len(seen) == LONGEST_CHAIN:
            message = (
                f"'{base}' extends this file in turn"
                if base.resolve() in seen
                else (f"more than {LONGEST_CHAIN} files extend one another")
            )
            raise InputError([last.problem((EXTENDS,), message)])
        if "study" not in last.data:
            message = "a study that extends another needs a name of its own: `study: <name>`"
            raise InputError([last.problem((EXTENDS,), message)])
        seen.add(base.resolve())
        documents.append(read_yaml(base))
    for document in documents:
        document.data.pop(EXTENDS, None)
    return documents


def _find_base(document: Document, folder: Path) -> Path:
    named, known = document.data[EXTENDS], bundled_studies()
    if not isinstance(named, str):
        message = "must be the path of a study file, or the name of a bundled study"
        raise InputError([document.problem((EXTENDS,), message)])
    if named in known:
        return known[named]
    path = folder / named
    if path.suffix not in (".yaml", ".yml"):
        message = f"'{named}' is neither a .yaml file nor a bundled study{nearest(named, known)}"
        raise InputError([document.problem((EXTENDS,), message)])
    if not path.is_file():
        raise InputError([document.problem((EXTENDS,), f"there is no file '{path}'")])
    return path


def _lay_over(base: Document, over: Document) -> None:
    """Put a document over its base, in place."""
    base.files = {path: base.files.get(path, base.file) for path in base.positions}
    base.file = over.file
    _merge(base, base.data, over, over.data, ())


def _merge(
    base: Document, target: dict[str, Any], over: Document, update: dict[str, Any], path: Path_
) -> None:
    for key, value in update.items():
        if isinstance(value, dict) and isinstance(target.get(key), str) and "name" not in value:
            target[key] = {"name": target[key]}  # a bare name, of which settings are changed
        old, here = target.get(key), (*path, key)
        if isinstance(value, dict) and isinstance(old, dict) and same_component(old, value):
            _merge(base, old, over, value, here)
        else:
            if here == ("workload", "data"):
                _refuse_dropped(old, value, over)
            target[key] = value
            _move_places(base, over, here)


def _refuse_dropped(old: Any, new: Any, over: Document) -> None:
    """Refuse other data that drop an option of the extended file's, such as wrong labels."""
    if isinstance(old, dict):
        new = new if isinstance(new, dict) else {"name": new}
        lost = dropped(old, new, leaves({"data": new}))
        if lost:
            message = f"names other data than the file that is extended, {lost}"
            raise InputError([over.problem(("workload", "data"), message)])


def _move_places(base: Document, over: Document, path: Path_) -> None:
    """Let everything at and below a path stand where the extending document has it."""
    inside = slice(len(path))
    places: dict[Path_, Any]
    for places in (base.positions, base.keys, base.files):
        for stale in [at for at in places if at[inside] == path]:
            del places[stale]
    base.positions |= {at: place for at, place in over.positions.items() if at[inside] == path}
    base.keys |= {at: place for at, place in over.keys.items() if at[inside] == path}
    base.files |= {at: over.file for at in over.positions if at[inside] == path}


MATRIX = "matrix"
MOST_PROFILES = 200


def expand_matrix(document: Document) -> None:
    """Turn the matrix of a document into profiles, in place; each value keeps its place.

    Raises:
        InputError: if the matrix has not the form `{axis: {label: {path: value}}}`, has too many
            combinations, or one of them bears the name of a profile that is written out.
    """
    matrix = document.data.pop(MATRIX, None)
    if matrix is None:
        return
    problems = list(_malformed(document, matrix))
    if problems:
        raise InputError(problems)
    written = document.data.setdefault("profiles", {})
    if not isinstance(written, dict):
        return  # which is told when the whole study is checked
    for labels in itertools.product(*matrix.values()):
        name = "-".join(labels)
        if name in written:
            message = f"the combination '{name}' has the name of another profile"
            raise InputError([document.problem((MATRIX,), message)])
        written[name] = {}
        for axis, label in zip(matrix, labels, strict=True):
            written[name] |= matrix[axis][label]
            for path in matrix[axis][label]:
                document.place_as((MATRIX, axis, label, path), ("profiles", name, path))


def _malformed(document: Document, matrix: Any) -> Iterator[Problem]:
    """Yield what keeps a matrix from being expanded."""
    form = "an axis has labels, and each label settings: {data: {digits: {workload.data: digits}}}"
    if not isinstance(matrix, Mapping) or not matrix:
        yield document.problem((MATRIX,), f"must be a mapping of axes; {form}")
        return
    combinations = 1
    for axis, labels in matrix.items():
        if not isinstance(labels, Mapping) or not labels:
            yield document.problem((MATRIX, axis), form)
            continue
        combinations *= len(labels)
        for label, settings in labels.items():
            if not isinstance(settings, Mapping):
                yield document.problem((MATRIX, axis, label), "must be a mapping of path: value")
    if combinations > MOST_PROFILES:
        message = f"has {combinations:,} combinations; at most {MOST_PROFILES} are allowed"
        yield document.problem((MATRIX,), message)
