"""How far an execution's trials are, in a few numbers each, for whoever watches a run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.store.database import Store
from harness.store.records import Execution
from harness.trial import COSTS, SECONDS

_AT_ONCE = 500


@dataclass(frozen=True)
class Noted:
    """What a trial is for in an execution, and the state of its record (None without one)."""

    trial_id: str
    arm: str
    phase: str
    candidate: int | None
    seed: int
    reused: bool
    state: str | None


@dataclass(frozen=True)
class Ended:
    """What a record says of the course of its trial.

    Attributes:
        trial_id: of the trial.
        reason: why it failed, with the traceback; or how it diverged.
        attempt: which one it was.
        ended: in seconds since 1970.
        device: "CPU", or the name of its accelerator; empty if that is unknown.
        costs: by unit, as far as they are known (`harness.trial.COSTS`).
    """

    trial_id: str
    reason: str
    attempt: int
    ended: float
    device: str
    costs: Mapping[str, float]


def newest(store: Store, most: int, also: int | None = None) -> list[Execution]:
    """Return the newest executions, and one more by its number, the newest first."""
    rows = store.connection.execute(
        "SELECT id, study, profile, plan_hash, declaration, context, started, ended, status,"
        " wall_seconds FROM executions WHERE id = ?"
        " OR id IN (SELECT id FROM executions ORDER BY id DESC LIMIT ?) ORDER BY id DESC",
        (also, most),
    )
    return [
        Execution(id_, study, profile, plan_hash, json.loads(declared), json.loads(context), *rest)
        for id_, study, profile, plan_hash, declared, context, *rest in rows
    ]


def noted(store: Store, execution: int) -> list[Noted]:
    """Return what is noted of an execution's trials so far, in the order of noting."""
    rows = store.connection.execute(
        "SELECT a.trial_id, a.arm, a.phase, a.candidate, a.seed, a.reused, r.state"
        " FROM assignments a LEFT JOIN records r INDEXED BY states ON r.trial_id = a.trial_id"
        " WHERE a.execution = ? ORDER BY a.rowid",
        (execution,),
    )
    return [
        Noted(id_, arm, phase, None if candidate < 0 else candidate, seed, bool(reused), state)
        for id_, arm, phase, candidate, seed, reused, state in rows
    ]


def ended(store: Store, trial_ids: Sequence[str]) -> Iterator[Ended]:
    """Yield what the records of these trials say of their course; those without one are left out.

    The checksums are not compared: nothing is decided by these numbers.
    """
    names = ["reason", "attempt", "started", "ended", "environment.device",
             "environment.device_name", *(f"cost.{unit}" for unit in COSTS)]  # fmt: skip
    wanted = ", ".join(f"'$.{name}'" for name in names)
    for start in range(0, len(trial_ids), _AT_ONCE):
        some = trial_ids[start : start + _AT_ONCE]
        places = ", ".join("?" for _ in some)
        rows = store.connection.execute(
            f"SELECT trial_id, json_extract(record, {wanted}) FROM records"
            f" WHERE trial_id IN ({places})",
            some,
        )
        for trial_id, text in rows:
            reason, attempt, begun, end, kind, name, *costs = json.loads(text)
            known = {u: v for u, v in zip(COSTS, costs, strict=True) if v is not None}
            device = "CPU" if kind == "cpu" else str(name or kind or "")
            costs_known = {SECONDS: end - begun} | known
            yield Ended(trial_id, reason or "", attempt, end, device, costs_known)
