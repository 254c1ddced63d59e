"""The command about one trial: its record in short, whole as JSON, or trained again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import options
from harness.cli.documents import emit
from harness.cli.options import RESULTS
from harness.errors import InputError
from harness.formatting import number

if TYPE_CHECKING:
    from harness.run.results import Results
    from harness.store import Store
    from harness.trial import Record

_MOST_METRICS = 4
_FIRST = ("test.", "validation.", "selected.", "probe.", "train.")
"""Metrics are shown in this order of the parts that they begin with."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(trial)


def trial(
    trial_id: Annotated[str, typer.Argument(metavar="ID", help="a trial id, or its beginning")],
    replay: Annotated[bool, typer.Option("--replay", help="run it again and compare")] = False,
    results: options.Results = RESULTS,
    data_root: options.DataRoot = None,
    as_json: options.AsJson = False,
) -> int:
    """Show one trial, own or published; with --json its whole record; with --replay, run it again.

    A trial that was published and not run here can be shown, and replayed where nothing of it
    comes from a stage.
    """
    from harness.run.results import open_results

    at_hand = open_results(results, trial_id)
    record = _find(at_hand, trial_id)
    if replay:
        return _replay(record, at_hand.store, data_root, as_json=as_json)
    if as_json:
        emit(record.to_dict())
        return 0
    for line in in_short(record, _purposes(at_hand, record.trial_id)):
        typer.echo(line)
    return 0


def in_short(record: Record, purposes: Sequence[str]) -> list[str]:
    """Return what is most worth knowing of a trial, ten lines or so.

    Args:
        record: of the trial.
        purposes: what it was for, a text for each study and profile.
    """
    of = record.trial
    setting = of.workload
    ended = record.state.value + (f": {record.reason.splitlines()[-1]}" if record.reason else "")
    epochs = f"{len(record.curve)} epochs"
    if record.selected_epoch is not None:
        epochs += f", epoch {record.selected_epoch} selected"
    lines = [
        f"trial {record.trial_id}",
        *(f"  {purpose}" for purpose in purposes),
        f"  {of.phase.value}, seed {of.seed}, attempt {record.attempt}; {epochs}",
        f"  ended {ended}",
    ]
    order = {part: place for place, part in enumerate(_FIRST)}
    names = sorted(record.metrics, key=lambda n: order.get(f"{n.partition('.')[0]}.", len(order)))
    lines += [f"  {name}: {number(record.metrics[name], 5)}" for name in names[:_MOST_METRICS]]
    for part in ("data", "model", "optimizer"):
        if part in setting:
            lines.append(f"  {part}: {_setting(setting[part])}")
    costs = [f"{number(value)} {name}" for name, value in record.cost.items() if name == "seconds"]
    device = record.environment.get("device_name") or record.environment.get("device")
    lines.append("  " + ", ".join([*costs, f"on {device}" if device else "device unknown"]))
    more = len(names) - _MOST_METRICS
    rest = f" ({more} more metrics, the curve, all settings)" if more > 0 else ""
    return [*lines, f"the whole record: harness trial {record.trial_id} --json{rest}"]


def _setting(value: object) -> str:
    if not isinstance(value, dict):
        return str(value)
    others = [
        f"{k} {v}" for k, v in value.items() if k != "name" and not isinstance(v, dict | list)
    ]
    return ", ".join([str(value.get("name", "")), *others][:6])


def _find(results: Results, prefix: str) -> Record:
    """Return the record of a trial, from this folder's own records or from its published files.

    Raises:
        InputError: if none or several begin so.
    """
    store = results.store
    own = set(store.find_trials(prefix)) if store is not None else set()
    published = {
        item.trial_id: item.record
        for file in results.published.of()
        for item in file.items
        if item.record is not None and item.trial_id.startswith(prefix)
    }
    found = sorted(own | set(published))
    if len(found) > 1:
        raise InputError(f"{len(found)} trials start with '{prefix}'; give more digits")
    record = None
    if found:
        own_record = store.record(found[0]) if store is not None and found[0] in own else None
        record = own_record or published.get(found[0])
    if record is None:
        raise InputError(f"no trial '{prefix}' is recorded here or in the published files")
    return record


def _purposes(results: Results, trial_id: str) -> list[str]:
    """Say of which arm of which study and profile a trial is, of the newest execution of each."""
    found = []
    for entry in results.entries():
        execution = entry.execution
        if not entry.published and results.store is not None:
            known = {id_ for id_, _, _ in results.store.assigned_states(execution.id)}
            if trial_id not in known:
                continue
        for item in entry.source.assigned_records(execution.id):
            if item.trial_id == trial_id:
                candidate = f", candidate {item.candidate}" if item.candidate is not None else ""
                origin = " (published)" if entry.published else ""
                said = f"{execution.study}, profile {execution.profile}: arm {item.arm}"
                found.append(f"{said}{candidate}{origin}")
    return found


def _replay(record: Record, store: Store | None, data_root: Path | None, *, as_json: bool) -> int:
    """Train a trial again, say whether it comes out the same, and return the exit status."""
    from harness.run.replay import train_again

    again = train_again(record, store, data_root)
    if as_json:
        said = {"trial_id": record.trial_id, "identical": again.identical}
        said |= {"code_changed": again.code_changed}
        emit(said)
        return 0 if again.identical else 1
    if again.code_changed:
        typer.echo("the code that trains it is not what it was when the trial was recorded")
    same = "identical" if again.identical else "different"
    typer.echo(f"{record.trial_id}: the replay is {same}")
    for name, (value, other) in again.metrics.items():
        typer.echo(f"  {name}: recorded {value}, replayed {other}")
    return 0 if again.identical else 1
