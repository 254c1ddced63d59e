"""A matrix of profiles: `matrix:` names axes, and every combination of their labels is a profile.

Two data sets by two models give the profiles `digits-small`, `digits-large`, `wine-small` and
`wine-large`. What a later axis says goes before what an earlier one says.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from harness.errors import InputError, Problem
from harness.study.document import Document

KEY = "matrix"
MOST_PROFILES = 200


def expand_matrix(document: Document) -> None:
    """Turn the matrix of a document into profiles, in place; each value keeps its place.

    Raises:
        InputError: if the matrix has not the form `{axis: {label: {path: value}}}`, has too many
            combinations, or one of them bears the name of a profile that is written out.
    """
    matrix = document.data.pop(KEY, None)
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
            raise InputError([document.problem((KEY,), message)])
        written[name] = {}
        for axis, label in zip(matrix, labels, strict=True):
            written[name] |= matrix[axis][label]
            for path in matrix[axis][label]:
                document.place_as((KEY, axis, label, path), ("profiles", name, path))


def _malformed(document: Document, matrix: Any) -> Iterator[Problem]:
    """Yield what keeps a matrix from being expanded."""
    form = "an axis has labels, and each label settings: {data: {digits: {workload.data: digits}}}"
    if not isinstance(matrix, Mapping) or not matrix:
        yield document.problem((KEY,), f"must be a mapping of axes; {form}")
        return
    combinations = 1
    for axis, labels in matrix.items():
        if not isinstance(labels, Mapping) or not labels:
            yield document.problem((KEY, axis), form)
            continue
        combinations *= len(labels)
        for label, settings in labels.items():
            if not isinstance(settings, Mapping):
                yield document.problem((KEY, axis, label), "must be a mapping of path: value")
    if combinations > MOST_PROFILES:
        message = f"has {combinations:,} combinations; at most {MOST_PROFILES} are allowed"
        yield document.problem((KEY,), message)
