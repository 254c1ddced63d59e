"""Commands about results: report, claims, trial, ui."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import options
from harness.cli.options import REPORTS, RESULTS
from harness.study.errors import InputError, nearest

if TYPE_CHECKING:
    from harness.store import Execution, Store
    from harness.trial import Record, Verdict

CLAIM_FIELDS = (
    "id", "study", "profile", "source", "verdict", "effect", "ci_low", "ci_high", "p_value",
    "p_corrected", "seeds", "trials",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (report, claims, trial, ui):
        app.command()(command)


def claim_as_dict(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict with the fields that other tools rely on first."""
    fields = verdict.to_dict()
    return {name: fields.pop(name) for name in CLAIM_FIELDS} | fields


def report(
    studies: Annotated[list[str] | None, typer.Argument(metavar="[STUDY...]")] = None,
    results: options.Results = RESULTS,
    out: options.Reports = REPORTS,
) -> int:
    """Rebuild reports from the records; nothing is trained."""
    from harness.run.conclude import conclude
    from harness.store import open_store

    store = open_store(results, create=False)
    for study in dict.fromkeys(execution.study for execution in _wanted(store, studies)):
        by_profile, folder = conclude(store, study, out)
        typer.echo(f"{study} ({', '.join(by_profile)}): {folder / 'index.html'}")
    return 0


def _wanted(store: Store, studies: list[str] | None) -> list[Execution]:
    """Return the newest executions of the named studies (by name or file), or of all."""
    latest = store.latest_executions()
    if not studies:
        return latest
    known = {execution.study for execution in latest}
    names = {Path(name).stem for name in studies}
    for name in sorted(names - known):
        raise InputError(f"there are no results of a study '{name}'{nearest(name, known)}")
    return [execution for execution in latest if execution.study in names]


def claims(results: options.Results = RESULTS, as_json: options.AsJson = False) -> int:
    """Show every claim with its verdict and its evidence."""
    from harness.cli.verdict_table import print_verdicts
    from harness.run.conclude import verdicts_of
    from harness.store import open_store

    store = open_store(results, create=False)
    judged = [verdicts_of(store, execution) for execution in store.latest_executions()]
    if as_json:
        typer.echo(json.dumps([claim_as_dict(v) for verdicts in judged for v in verdicts]))
        return 0
    for verdicts in judged:
        if verdicts:
            typer.echo(f"\n{verdicts[0].study} ({verdicts[0].profile})")
            print_verdicts(verdicts)
    return 0


def trial(
    trial_id: Annotated[str, typer.Argument(metavar="ID", help="a trial id, or its beginning")],
    replay: Annotated[bool, typer.Option("--replay", help="run it again and compare")] = False,
    results: options.Results = RESULTS,
    data_root: options.DataRoot = None,
    as_json: options.AsJson = False,
) -> int:
    """Show one trial: its settings and its record; with --replay, run it again and compare."""
    from harness.store import open_store

    record = _find(open_store(results, create=False), trial_id)
    if not replay:
        typer.echo(json.dumps(record.to_dict(), indent=None if as_json else 2))
        return 0
    again = _run_again(record, data_root)
    same = again.deterministic_part() == record.deterministic_part()
    if as_json:
        typer.echo(json.dumps({"trial_id": record.trial_id, "identical": same}))
    else:
        typer.echo(f"{record.trial_id}: the replay is {'identical' if same else 'different'}")
        for name, value in record.metrics.items():
            other = again.metrics.get(name)
            if other != value and not name.startswith("probe.step_time"):
                typer.echo(f"  {name}: recorded {value}, replayed {other}")
    return 0 if same else 1


def _find(store: Store, prefix: str) -> Record:
    found = store.find_trials(prefix)
    if len(found) > 1:
        raise InputError(f"{len(found)} trials start with '{prefix}'; give more digits")
    record = store.record(found[0]) if found else None
    if record is None:
        raise InputError(f"no trial '{prefix}' is recorded")
    return record


def _run_again(record: Record, root: Path | None) -> Record:
    from harness.train import train
    from harness.trial import Record as RecordType
    from harness.workloads import data_root, load

    dataset = load(record.trial.workload["data"], data_root(root))
    threads = int(record.environment.get("threads", 1))
    data = dataset.for_phase(record.trial.phase)
    for event in train([record.trial], data, threads=threads):
        if isinstance(event, RecordType):
            return event
    raise AssertionError("a trial always ends with a record")


def ui(
    port: Annotated[int, typer.Option(help="port on this machine")] = 5000,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    results: options.Results = RESULTS,
) -> int:
    """Serve the MLflow UI on these results, on this machine only unless told otherwise."""
    from harness.track import serve_ui

    return serve_ui(None, host, port, results=str(results))
