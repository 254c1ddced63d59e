"""Durable records: one SQLite database under results/, written by one conductor."""

from harness.store.database import Store
from harness.store.opening import DATABASE, SCHEMA_VERSION, conductor_lock, open_store
from harness.store.pages import Page
from harness.store.words import AssignedRecord, Execution, StoreError

__all__ = [
    "DATABASE",
    "SCHEMA_VERSION",
    "AssignedRecord",
    "Execution",
    "Page",
    "Store",
    "StoreError",
    "conductor_lock",
    "open_store",
]
