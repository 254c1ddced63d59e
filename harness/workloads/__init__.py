"""Data sets: reading, fingerprints, the locked test split, and splits by seed."""

from harness.workloads.dataset import (
    Dataset,
    Examples,
    Handling,
    TrialData,
    count_duplicates,
    split,
)
from harness.workloads.sources import (
    DataMissingError,
    DataSummary,
    data_root,
    fingerprint,
    load,
    summary,
)

__all__ = [
    "DataMissingError",
    "DataSummary",
    "Dataset",
    "Examples",
    "Handling",
    "TrialData",
    "count_duplicates",
    "data_root",
    "fingerprint",
    "load",
    "split",
    "summary",
]
