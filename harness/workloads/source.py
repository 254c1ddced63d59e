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


class DataMissingError(Exception):
    """A data set is not on this machine and could not be fetched."""


@dataclass(frozen=True)
class DataSummary:
    """Sizes that can be known without loading anything: of the open part, of the test split."""

    examples: int
    test: int
    form: Form


@dataclass(frozen=True)
class Source:
    """One data set: which files it is made of, how it is read, and its sizes.

    `load` reads the files under the data root, by the settings of the configuration.
    `decides` names the settings that change what a trial may meet; they are part of the
    fingerprint.
    """

    files: Callable[[Path], list[Path]]
    load: Callable[[Mapping[str, Any], Path], Dataset]
    summary: Callable[[Mapping[str, Any]], DataSummary]
    decides: tuple[str, ...] = ("limit",)
    rule: str = ""
    """Version of the rule by which files become inputs, where it is ours."""


def of_size(known: DataSummary) -> Callable[[Mapping[str, Any]], DataSummary]:
    """Return the summary of a data set whose examples can be limited."""

    def summary(config: Mapping[str, Any]) -> DataSummary:
        limit = min(config.get("limit") or known.examples, known.examples)
        return DataSummary(limit, known.test, known.form)

    return summary
