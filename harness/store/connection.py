"""SQLite, whose troubles become a `StoreError` that says where they are and what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from harness.store.records import StoreError

_DAMAGED = ("malformed", "not a database", "could not decode")
_FULL = ("full", "no space")
_LOCKED_OUT = ("readonly", "read-only", "unable to open")


def connect(file: Path, *, read_only: bool = False) -> Connection:
    """Open a database file, waiting up to 30 seconds for whoever is writing to it.

    Raises:
        StoreError: now and in every later use, if the file cannot be used.
    """
    address = f"{file.resolve().as_uri()}?mode=ro" if read_only else str(file)
    with _explained(file):
        connection = sqlite3.connect(address, timeout=30, factory=Connection, uri=read_only)
    connection.text_factory = _text
    connection.file = file
    return connection


def _text(data: bytes) -> str:
    """Decode whatever there is, so that a checksum tells of bytes that are no text."""
    return data.decode(errors="surrogateescape")


class Connection(sqlite3.Connection):
    """A connection that explains its errors; `with` commits, or rolls back, as usual."""

    file = Path()

    def cursor(self, factory: Callable[..., Any] | None = None) -> Any:
        """Return a cursor that explains its errors."""
        return super().cursor(factory or Cursor)

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """Carry out a statement; `sqlite3` would make a cursor of its own for it."""
        return self._carry_out("execute", arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        """Carry out a statement for many rows."""
        return self._carry_out("executemany", arguments)

    def executescript(self, *arguments: Any) -> sqlite3.Cursor:
        """Carry out many statements."""
        return self._carry_out("executescript", arguments)

    def _carry_out(self, how: str, arguments: tuple[Any, ...]) -> sqlite3.Cursor:
        with _explained(self.file):
            cursor: sqlite3.Cursor = getattr(self.cursor(), how)(*arguments)
            return cursor

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> Literal[False]:
        with _explained(self.file):
            return super().__exit__(kind, error, trace)


class Cursor(sqlite3.Cursor):
    """What reads the answers, row by row."""

    connection: Connection

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        with _explained(self.connection.file):
            return super().fetchone()

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        with _explained(self.connection.file):
            return super().fetchall()

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except sqlite3.Error as error:
            raise StoreError(explain(error, self.connection.file)) from None


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(explain(error, file)) from None


def explain(error: sqlite3.Error, file: Path) -> str:
    """Say what is wrong with a database file, and what to do."""
    reason = str(error)
    if any(sign in reason for sign in _FULL):
        return f"there is no space left for '{file}'; free some and run again, nothing was lost"
    if any(sign in reason for sign in _LOCKED_OUT):
        return (
            f"'{file}' cannot be written ({reason}); check the permissions of the folder and the "
            "files in it"
        )
    if any(sign in reason for sign in _DAMAGED):
        return damaged(file, reason)
    if "disk I/O" in reason:
        return f"'{file}' cannot be read or written ({reason}); check the disk and its free space"
    return f"'{file}' cannot be used: {reason}"


def damaged(file: Path, reason: str) -> str:
    """Say that a database file holds what was never written to it, and what to do."""
    return (
        f"'{file}' is damaged ({reason}); check the disk, then restore a copy, or save what can be "
        f"read (`sqlite3 {file.name} .recover`), or move the file away and run again"
    )
