"""Sentences from the docstrings of Python's standard library, in two families of modules."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from harness.data._dataset import LOCKED_SEED, Dataset
from harness.data._sentences import Sentences
from harness.data.base import Fraction
from harness.lazy import numpy as np

NETWORKS = (
    "asyncio", "email", "ftplib", "html", "http", "imaplib", "ipaddress", "mailbox", "netrc",
    "poplib", "selectors", "smtplib", "socket", "socketserver", "ssl", "urllib", "webbrowser",
    "wsgiref", "xmlrpc",
)  # fmt: skip
TYPES = (
    "_collections_abc", "_pydatetime", "_pydecimal", "abc", "bisect", "calendar", "collections",
    "colorsys", "contextlib", "copy", "csv", "dataclasses", "datetime", "decimal", "difflib",
    "enum", "fractions", "functools", "gettext", "heapq", "json", "numbers", "operator", "pickle",
    "pprint", "random", "re", "reprlib", "statistics", "string", "textwrap", "types", "typing",
    "weakref",
)  # fmt: skip
_SHORTEST = 5  # words of a sentence
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Docstrings(Sentences):
    """Sentences from the standard library's docstrings: networks, or numbers and data types?

    About 5,000 sentences, balanced, from the Python that runs; nothing is downloaded.
    """

    name: Literal["docstrings"]
    validation_fraction: Fraction = 0.1
    vocabulary: int = Field(
        5_000, ge=3, le=1_000_000, description="token ids: padding, unknown, commonest words"
    )

    of_each: ClassVar[int] = 2531  # about so many, by version of Python
    cases: ClassVar = (
        {},
        {"limit": 200, "test_limit": 50, "length": 12},
    )

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes are called."""
        return ("networks", "data types")

    def files(self, root: Path) -> list[Path]:
        """Return the source files of both families that this Python has, in a fixed order."""
        del root
        return [*_files(NETWORKS), *_files(TYPES), *self.tokenizer_files()]

    def load(self, root: Path) -> Dataset:
        """Read the docstrings and cut them into sentences."""
        del root
        parts = _families()
        files = np.unique([file for part in parts for file in part.values()], return_inverse=True)
        return self.labelled([list(part) for part in parts], files[1].tolist())


def families() -> list[list[str]]:
    """Return equally many different sentences about networks, and about numbers and types."""
    return [list(part) for part in _families()]


def _families() -> list[dict[str, str]]:
    """Return the same sentences, each with the source file where it stands first."""
    found = [_sentences(_files(names)) for names in (NETWORKS, TYPES)]
    parts = [[one for one in part if one not in other] for part, other in (found, found[::-1])]
    size = min(map(len, parts))
    generator = np.random.default_rng(LOCKED_SEED)
    chosen = [np.sort(generator.permutation(len(part))[:size]) for part in parts]
    return [
        {part[i]: files[part[i]] for i in index}
        for part, index, files in zip(parts, chosen, found, strict=True)
    ]


def _files(modules: Sequence[str]) -> list[Path]:
    library = Path(os.__file__).parent
    found: list[Path] = []
    for name in modules:
        file = library / f"{name}.py"
        found += [file] if file.is_file() else sorted((library / name).rglob("*.py"))
    return found


def _sentences(files: Sequence[Path]) -> dict[str, str]:
    """Return different sentences, in their order, each with the file where it stands first."""
    sentences: dict[str, str] = {}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, _DOCUMENTED):
                for sentence in _cut(ast.get_docstring(node) or ""):
                    sentences.setdefault(sentence, str(file))
    return sentences


def _cut(docstring: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", docstring):
        if ">>>" in paragraph:  # an interactive session, not a text
            continue
        for sentence in re.split(r"(?<=[.:;!?])\s+", " ".join(paragraph.split())):
            if len(re.findall(r"[A-Za-z']+", sentence)) >= _SHORTEST:
                yield sentence
