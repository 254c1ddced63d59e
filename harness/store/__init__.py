"""Durable records: one SQLite database under results/, written by one conductor."""

from harness.store.database import Store
from harness.store.looks import Look
from harness.store.merging import Merged, merge
from harness.store.opening import DATABASE, conductor_lock, open_store
from harness.store.records import AssignedRecord, Execution, StoreError
from harness.store.report_cache import CachedReport

__all__ = [
    "DATABASE",
    "AssignedRecord",
    "Execution",
    "Look",
    "Merged",
    "Store",
    "StoreError",
    "CachedReport",
    "conductor_lock",
    "merge",
    "open_store",
]
