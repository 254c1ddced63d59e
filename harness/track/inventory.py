"""What MLflow already holds of a study: runs of dead executions, and doubles."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from harness.track.facts import LOST, milliseconds
from harness.track.mlflow_store import Found, TrackingStore
from harness.track.words import ExecutionInfo

SILENT = 3600.0
"""Seconds without a heartbeat after which another conductor's execution is taken for dead."""


def sweep(store: TrackingStore, runs: Sequence[Found], present: ExecutionInfo) -> list[Found]:
    """Close what dead executions left running, and return all runs as they are now, by age.

    An execution is dead when the present one works in its results folder, which has one conductor
    at a time, or when its parent run (wherever its conductor is) has been silent for long.
    """
    beats = {
        run.tags.get("mirror"): float(run.tags.get("heartbeat") or 0)
        for run in runs
        if run.tags.get("role") == "execution"
    }
    now = time.time()
    swept = []
    for run in sorted(runs, key=lambda run: (run.started, run.run_id)):
        mirror = run.tags.get("mirror")
        ours = run.tags.get("owner") == present.owner
        silent = now - beats.get(mirror, 0.0) > SILENT
        if run.running and mirror != present.mirror and (ours or silent):
            lose(store, run.run_id)
            swept.append(replace(run, status="KILLED", tags={**run.tags, "state": LOST}))
        else:
            swept.append(run)
    return swept


def lose(store: TrackingStore, run_id: str) -> None:
    """Mark a run whose trial (or execution) did not end while it was watched."""
    store.log(run_id, tags={"state": LOST})
    store.end(run_id, "KILLED", milliseconds(time.time()))


def only(store: TrackingStore, known: str, runs: Sequence[Found]) -> str:
    """Remove doubles and return the id of the run that stays, or nothing if there is none.

    The known one stays or, when none is known because its creation was not answered, the first.
    """
    ids = [run.run_id for run in runs]
    kept = known if known in ids else next(iter(ids), "")
    for run_id in ids:
        if run_id != kept:
            store.remove(run_id)
    return kept
