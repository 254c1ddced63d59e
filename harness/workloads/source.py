"""What a source of data knows about itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.form import Form
from harness.workloads.dataset import Dataset

DATA_ROOT_VARIABLE = "HARNESS_DATA"
LOCKED_SEED = 20_240_229  # which examples are the test split, where we draw it; never changed

Config = Mapping[str, Any]


class DataMissingError(Exception):
    """A data set is not on this machine and could not be fetched, or cannot be used as asked."""


@dataclass(frozen=True)
class DataSummary:
    """Sizes that can be known without loading anything: of the open part, of the test split."""

    examples: int
    test: int
    form: Form


@dataclass(frozen=True)
class Source:
    """One data set: which files it is made of, how it is read, and its sizes.

    `files` names the files under the data root, or elsewhere, that its configuration stands for;
    `load` reads them. `summary` may estimate sizes where files are not at hand. `decides` names the
    settings that change what a trial may meet; they are part of the fingerprint.
    """

    files: Callable[[Config, Path], list[Path]]
    load: Callable[..., Dataset]
    summary: Callable[[Config], DataSummary]
    decides: tuple[str, ...]
    rule: str = ""
    """Version of the rule by which files become inputs, where it is ours."""
    named: bool = False
    """Whether the names of files say something, such as a class; they must be there for a plan."""
    by_content: bool = False
    """Whether only reading the data tells what they are; then `load` may take `download`."""


def no_files(_config: Config, _root: Path) -> list[Path]:
    """Return no files: the data are generated."""
    return []


def missing(what: str, root: Path, advice: str) -> DataMissingError:
    """Say that files are not there, and what to do."""
    return DataMissingError(
        f"{what} under '{root}'. {advice}, and name the folder that holds it with --data-root or "
        f"${DATA_ROOT_VARIABLE}"
    )
