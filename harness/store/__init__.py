"""Durable records: one SQLite database under results/, written by one conductor."""

from harness.store.database import Store
from harness.store.opening import DATABASE, SCHEMA_VERSION, conductor_lock, open_store
from harness.store.pages import WrittenPage
from harness.store.records import AssignedRecord, Execution, Look, StoreError

__all__ = [
    "DATABASE",
    "SCHEMA_VERSION",
    "AssignedRecord",
    "Execution",
    "Look",
    "Store",
    "StoreError",
    "WrittenPage",
    "conductor_lock",
    "open_store",
]
