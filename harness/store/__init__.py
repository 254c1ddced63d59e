"""Durable records: one SQLite database under results/, written by one conductor."""

from harness.store.database import Store
from harness.store.looks import Look
from harness.store.merging import Merged, merge
from harness.store.opening import (
    DATABASE,
    conductor_lock,
    conductor_of,
    open_store,
    open_to_read,
)
from harness.store.progress import Ended, Noted, ended, newest, noted
from harness.store.records import AssignedRecord, Execution, StoreError
from harness.store.report_cache import CachedReport

__all__ = [
    "DATABASE",
    "AssignedRecord",
    "Ended",
    "Execution",
    "Look",
    "Merged",
    "Noted",
    "Store",
    "StoreError",
    "CachedReport",
    "conductor_lock",
    "conductor_of",
    "ended",
    "merge",
    "newest",
    "noted",
    "open_store",
    "open_to_read",
]
