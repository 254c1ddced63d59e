"""Trials in training, saved where a new attempt finds them; imports PyTorch only when it must.

A checkpoint is one file: a mark, the SHA-256 of what follows, and what PyTorch writes of tensors
and plain values. It gets its name once it is whole. The one before it stays, so that a damaged file
costs an interval and not the trial. Reading one runs no code from it (`weights_only`).
"""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

KEPT = 2  # checkpoints of a trial
_MARK = b"harness checkpoint 1\n"
_HEAD = len(_MARK) + hashlib.sha256().digest_size


@dataclass(frozen=True)
class Checkpoints:
    """A place for checkpoints, and how often one is made.

    Attributes:
        folder: a path, or an address that fsspec knows (`s3://bucket/folder`, `memory://...`).
        epochs: between two checkpoints; None if time decides.
        seconds: between two checkpoints, at the end of an epoch; None if epochs decide.
    """

    folder: str
    epochs: int | None = None
    seconds: float | None = None

    def is_due(self, epoch: int, saved: float) -> bool:
        """Tell whether to save after an epoch; `saved` is when that was done last (monotonic)."""
        if self.epochs is not None:
            return epoch % self.epochs == 0
        return self.seconds is not None and time.monotonic() - saved >= self.seconds

    def save(self, trial_id: str, epoch: int, state: Mapping[str, Any]) -> None:
        """Write a checkpoint, and remove those before the last one.

        Raises:
            Exception: whatever the storage raises; the checkpoints before are still there.
        """
        import torch

        body = io.BytesIO()
        torch.save(dict(state), body)
        data = body.getvalue()
        files, folder = self._place(trial_id)
        files.makedirs(folder, exist_ok=True)
        target, partial = f"{folder}/{epoch:08d}.pt", f"{folder}/{epoch:08d}.partial"
        with files.open(partial, "wb") as file:
            file.write(_MARK + hashlib.sha256(data).digest() + data)
            file.flush()
            with suppress(AttributeError, OSError):  # only files of a disk can be forced onto it
                os.fsync(file.fileno())
        files.mv(partial, target)
        for old in self._files(trial_id)[KEPT:]:
            files.rm(old)

    def load(
        self, trial_id: str, latest: float = float("inf")
    ) -> tuple[dict[str, Any] | None, int]:
        """Return the state in the newest sound checkpoint, if any, and how many were damaged.

        Only those are looked at that were saved by the epoch `latest`.
        """
        files, _ = self._place(trial_id)
        damaged = 0
        for file in self._files(trial_id):
            try:
                if int(file.rpartition("/")[2].removesuffix(".pt")) > latest:
                    continue
                return _read(files.cat_file(file)), damaged
            except Exception:  # whatever is wrong with it, the one before may be sound
                damaged += 1
        return None, damaged

    def remove(self, trial_ids: Iterable[str]) -> None:
        """Remove all checkpoints of trials; a storage that is away keeps them."""
        for trial_id in trial_ids:
            with suppress(Exception):
                files, folder = self._place(trial_id)
                if files.exists(folder):
                    files.rm(folder, recursive=True)

    def _place(self, trial_id: str) -> tuple[Any, str]:
        """Return the file system and the folder of a trial."""
        import fsspec

        files, root = fsspec.core.url_to_fs(self.folder)
        return files, f"{root.rstrip('/')}/{trial_id}"

    def _files(self, trial_id: str) -> list[str]:
        """Return the checkpoints of a trial, the newest first."""
        files, folder = self._place(trial_id)
        files.invalidate_cache()
        try:
            return sorted((file for file in files.ls(folder, detail=False) if file.endswith(".pt")),
                          reverse=True)  # fmt: skip
        except (FileNotFoundError, NotADirectoryError):
            return []


def _read(data: bytes) -> dict[str, Any]:
    """Return the state in a checkpoint file.

    Raises:
        ValueError: if it is not whole.
    """
    import torch

    whole = _MARK + hashlib.sha256(data[_HEAD:]).digest()
    if data[:_HEAD] != whole:
        raise ValueError("the checkpoint is damaged")
    state: dict[str, Any] = torch.load(
        io.BytesIO(data[_HEAD:]), map_location="cpu", weights_only=True
    )
    return state
