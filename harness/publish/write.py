"""An execution and its records to a published file: the same bytes whenever it is written."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.publish.curves import to_columns
from harness.store import AssignedRecord, Execution, Look, Store
from harness.store.outcomes import pack_outcomes
from harness.trial import EVIDENCE, Phase, Record, State

FORMAT, VERSION = "harness records", 1
SUFFIX = ".json.gz"
DIGEST = "digest"


def publishable(store: Store) -> list[Execution]:
    """Return the newest finished execution of each study and profile.

    Executions whose settings were overridden are left out: they are not what the profile declares.
    """
    found = {
        (execution.study, execution.profile): execution
        for execution in store.executions()
        if execution.status == "finished" and not execution.context.get("overrides")
    }
    return [found[key] for key in sorted(found)]


def file_name(study: str, profile: str) -> str:
    """Return the name of a published file; neither part can hold the full stop between them."""
    return f"{study}.{profile}{SUFFIX}"


def write_file(store: Store, execution: Execution, folder: Path) -> Path:
    """Write an execution, what its claims were judged by, its assignments and their records.

    The ledger goes with it: the earlier executions that showed any of its confirmation trials, and
    what each of them declared.

    The curves and details of trials other than those of confirmation and timing stay out: no
    verdict or report uses them. Of a failed trial's traceback only the last line is kept, for the
    rest names folders of the machine.

    Raises:
        OSError: if the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / file_name(execution.study, execution.profile)
    text = json.dumps(_document(store, execution), separators=(",", ":"), ensure_ascii=False)
    text = with_digest(text)
    partial = file.with_name(f".{file.name}.part")
    partial.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    os.replace(partial, file)
    return file


def with_digest(text: str) -> str:
    """Return the text of a JSON mapping with one more value at its end: the digest of the text."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f'{text[:-1]},"{DIGEST}":"{digest}"}}'


def _document(store: Store, execution: Execution) -> dict[str, Any]:
    """Return the file's content; keys keep their order, which the order of arms depends on."""
    items = list(store.assigned_records(execution.id))
    shared = _Shared()
    records = {
        item.trial_id: _record(item.record, shared) for item in items if item.record is not None
    }
    judged = store.judged(execution.study, execution.profile)
    confirmed = [item.trial_id for item in items if item.phase is Phase.CONFIRMATION]
    outcomes = store.outcomes(confirmed)
    looks = [_look(look, shared) for look in store.looks(execution.id)]
    return {
        "format": FORMAT,
        "version": VERSION,
        "execution": asdict(execution),
        "judged": sorted(list(row) for row in judged),
        "looks": looks,
        "timed_otherwise": store.timed_otherwise(execution.id),
        "lost": [list(row) for row in store.lost_attempts(item.trial_id for item in items)],
        "shared": shared.values,
        "assignments": [_assignment(item) for item in items],
        "records": records,
        "outcomes": {
            id_: b64encode(pack_outcomes(found)).decode() for id_, found in outcomes.items()
        },
    }


class _Shared:
    """Values that many records have in common, each written once and named by its position."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, value: Any) -> int:
        key = json.dumps(value)
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(value)
        return self._places[key]


def _assignment(item: AssignedRecord) -> list[Any]:
    phase, parameters = item.phase.value, dict(item.parameters)
    return [item.trial_id, item.arm, phase, item.candidate, parameters, item.seed, item.reused]


def _look(look: Look, shared: _Shared) -> dict[str, Any]:
    fields = {"study": look.study, "profile": look.profile, "at": look.at, "judged": look.judged}
    fields["profiles"] = {name: list(looks) for name, looks in look.profiles.items()}
    seen = {"trials": sorted(look.trials), "arms": sorted(look.arms)}
    return fields | {"declaration": shared.place(dict(look.declaration))} | seen


def _record(record: Record, shared: _Shared) -> dict[str, Any]:
    fields = record.to_dict()
    trial: dict[str, Any] = dict(fields["trial"])
    for name in ("workload", "probes"):
        trial[name] = shared.place(trial[name])
    evidence = record.trial.phase in EVIDENCE
    return fields | {
        "trial": trial,
        "reason": _without_paths(record),
        "curve": to_columns(record.curve if evidence else ()),
        "details": fields["details"] if evidence else {},
        "environment": shared.place(fields["environment"]),
    }


def _without_paths(record: Record) -> str:
    lines: Sequence[str] = record.reason.strip().splitlines()
    return lines[-1] if record.state is State.FAILED and lines else record.reason
