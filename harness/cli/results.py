"""Commands about results: report, merge, publish, ui, export-optuna."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import options
from harness.cli.documents import emit
from harness.cli.interruptions import INTERRUPTIONS
from harness.cli.live import LivePort, live_page
from harness.cli.options import REPORTS, RESULTS
from harness.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.report import ProfileResult
    from harness.run.outcome import Fault

    Weights = Mapping[str, NDArray[Any]]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (report, merge, publish, ui, export_optuna):
        app.command()(command)


def report(
    studies: Annotated[list[str] | None, typer.Argument(metavar="[STUDY...]")] = None,
    results: options.Results = RESULTS,
    out: options.Reports = REPORTS,
    export_to: Annotated[
        Path | None,
        typer.Option(
            "--export",
            metavar="DIR",
            help="write methods, tables, figures, references and data for a paper there",
        ),
    ] = None,
    compared: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--compare", metavar="A B", help="compare two folders of results or files"),
    ] = None,
    as_json: options.AsJson = False,
) -> int:
    """Rebuild reports and the scoreboard from records, own and published; nothing is trained.

    With --export, write files for a paper and for other tools instead; with --compare, a page on
    what differs between two sets of results beyond noise.
    """
    from harness.run.reports import build_reports, check_writable
    from harness.run.results import open_results

    if compared is not None:
        return _compare(compared, studies, out, as_json=as_json)
    if as_json:
        raise InputError("--json goes with --compare; 'harness claims --json' gives the verdicts")
    if export_to is not None:
        return _export(results, studies, export_to)
    at_hand = open_results(results)
    wanted = at_hand.named(studies)
    check_writable(out)
    made = build_reports(at_hand, wanted, out)
    for study, folder in made.folders.items():
        profiles = ", ".join(made.profiles[study])
        typer.echo(f"{study} ({profiles}): {folder / 'index.html'}")
    typer.echo(f"scoreboard: {out / 'index.html'}")
    return told(made.faults, wanted)


def told(faults: Sequence[Fault], wanted: Sequence[str]) -> int:
    """Say what went wrong; return the exit status, which is about what was asked for."""
    from harness.api import tell
    from harness.store import StoreError

    tell(faults)
    mine = [fault for fault in faults if fault.study in (*wanted, "")]
    damaged = any(isinstance(fault.error, StoreError) for fault in mine)
    return 2 if damaged else 1 if mine else 0


def _export(results: Path, studies: list[str] | None, folder: Path) -> int:
    from harness.report import export
    from harness.run.reports import check_writable, left_out
    from harness.run.results import open_results

    at_hand = open_results(results)
    wanted = at_hand.named(studies)
    check_writable(folder)
    judged = []
    for place, name in enumerate(wanted, 1):
        typer.echo(f"harness: judging {name}, {place} of {len(wanted)}", err=True)
        judged += at_hand.judged([name])
    for place, result in enumerate(judged, 1):
        told_of = f"{result.study} ({result.profile}), {place} of {len(judged)}"
        tell = partial(_tell_of, told_of)
        for written in export([result], folder, tell):
            typer.echo(f"{written}")
    return told([*at_hand.faults_of(wanted), *left_out(judged)], wanted)


def _tell_of(what: str, part: str) -> None:
    typer.echo(f"harness: {what}: {part}", err=True)


def _compare(
    folders: tuple[Path, Path], studies: list[str] | None, out: Path, *, as_json: bool
) -> int:
    from harness.report import build_comparison, compare
    from harness.run.reports import check_writable
    from harness.run.results import known_studies, open_any

    sets = [open_any(folder) for folder in folders]
    known = {study for one in sets for study in one.named()}
    wanted = known_studies(known, studies)
    check_writable(out)
    first, second = (one.judged(wanted) for one in sets)
    view = compare(first, second, (str(folders[0]), str(folders[1])))
    page = build_comparison(view, out)
    if as_json:
        emit(view.to_dict())
    else:
        typer.echo(f"{view.headline}\ncomparison: {page}")
    return told([fault for one in sets for fault in one.faults_of(wanted)], wanted)


def merge(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="with results")],
    into: Annotated[Path, typer.Option(help="a folder that has no results yet")] = Path("merged"),
    keep_first: Annotated[
        bool,
        typer.Option(
            "--keep-first", help="of two different records of a trial, the first folder's"
        ),
    ] = False,
    as_json: options.AsJson = False,
) -> int:
    """Join results of several folders, such as those of two machines, in a new one.

    Every trial has one record then; records of one trial that differ are refused. The folders stay
    as they are. `harness run STUDY --results FOLDER` goes on with what is missing.
    """
    from harness.store import merge as join

    if len(folders) < 2:
        raise InputError("name at least two folders")
    done = join(folders, into, keep_first=keep_first)
    if as_json:
        found = {"into": str(into), "records": done.records, "executions": done.executions}
        emit(found | {"contradicting": list(done.contradicting)})
        return 0
    typer.echo(f"{into}: {done.records} records, {done.executions} runs of studies")
    if done.contradicting:
        typer.echo(f"{len(done.contradicting)} trials had another record in a later folder")
    return 0


def publish(
    studies: Annotated[list[str] | None, typer.Argument(metavar="[STUDY...]")] = None,
    results: options.Results = RESULTS,
    out: options.Reports = REPORTS,
    to: Annotated[
        Path | None, typer.Option(help="folder of the files; default: published in the results")
    ] = None,
    hub: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="upload all to this data set of Hugging Face"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="with --hub: show what would be uploaded")
    ] = False,
) -> int:
    """Write the newest finished run of each study and profile to a small file, to be shared.

    The folder published of the reports gets a small page on each study with published records, and
    the scoreboard of all of them: both in Markdown, with a few figures, to be kept with the files.
    With --hub, these files, the pages and model cards are uploaded in one commit.
    """
    from harness.publish import FOLDER
    from harness.run.reports import build_reports, check_writable
    from harness.run.results import known_studies, open_any
    from harness.store import DATABASE

    if dry_run and hub is None:
        raise InputError("--dry-run goes with --hub")
    if hub is not None:
        from harness.run.hub import check_name

        check_name(hub)
    folder, pages = to or results / FOLDER, out / FOLDER
    asked: Sequence[str] | None = studies
    if (results / DATABASE).is_file() or not folder.is_dir():
        asked = _publish(results, studies, folder)
    check_writable(pages)  # of a clone without results of its own they are made again
    at_hand = open_any(folder)
    wanted = known_studies(at_hand.named(), asked)
    made = build_reports(at_hand, wanted, pages, published=True)
    for page in made.folders.values():
        typer.echo(f"page: {page / 'report.md'}")
    typer.echo(f"scoreboard: {pages / 'index.md'}")
    if hub is not None:
        _to_hub(hub, folder, pages, at_hand.judged(set(wanted)), dry_run=dry_run)
    return told(made.faults, wanted)


def _to_hub(
    repository: str, files: Path, pages: Path, judged: Sequence[ProfileResult], *, dry_run: bool
) -> None:
    """Upload published files, pages and cards, or say what would be uploaded."""
    from tempfile import TemporaryDirectory

    from harness.run.hub import stage, upload

    with TemporaryDirectory() as folder:
        staged = stage(Path(folder), repository, files, pages, judged)
        said = f"{len(staged.files)} files, {staged.size / 1e6:.1f} MB"
        if dry_run:
            for file in staged.files:
                typer.echo(f"  {file.as_posix()}  {(staged.folder / file).stat().st_size:,} bytes")
            typer.echo(f"{repository}: {said} would be uploaded; nothing was")
        else:
            address = upload(staged, repository, {result.study for result in judged})
            typer.echo(f"hub: {address} ({said})")


def _publish(results: Path, studies: list[str] | None, folder: Path) -> list[str]:
    """Write the files of these studies, or of all that can be published; return which."""
    from harness.publish import publishable, write_file
    from harness.run.results import known_studies
    from harness.store import open_store

    store = open_store(results, create=False)
    found = publishable(store)
    wanted = known_studies({execution.study for execution in found}, studies)
    if not wanted:
        raise InputError("no run has finished with the settings that its profile declares")
    for execution in found:
        if execution.study in wanted:
            try:
                file = write_file(store, execution, folder)
            except OSError as error:
                raise InputError(
                    f"'{error.filename}' cannot be written: {error.strerror}"
                ) from None
            size = file.stat().st_size / 1000
            typer.echo(f"{execution.study} ({execution.profile}): {file}, {size:.0f} kB")
    return wanted


def export_optuna(
    study: Annotated[str, typer.Argument(help="name of a study that was run")],
    storage: Annotated[str, typer.Option(help="address of the storage")] = "sqlite:///optuna.db",
    results: options.Results = RESULTS,
) -> int:
    """Write the searches of a study into an Optuna storage, for optuna-dashboard."""
    from harness.evidence import gather
    from harness.run.results import open_results, searches
    from harness.search import export_search

    at_hand = open_results(results)
    for entry in at_hand.entries(at_hand.named([study])):
        evidence = gather(entry.source, entry.execution)
        for arm, space, history in searches(evidence):
            name = f"{study}/{entry.execution.profile}/{arm}"
            try:
                written = export_search(space, history, storage, name)
            except ValueError as error:
                raise InputError(f"--storage: {error}") from None
            said = f"{len(history)} candidates" if written else "is there already"
            typer.echo(f"{name}: {said}")
    typer.echo(f"browse: optuna-dashboard {storage}")
    return 0


def ui(
    port: Annotated[int, typer.Option(help="port on this machine")] = 5000,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    live_port: LivePort = None,
    results: options.Results = RESULTS,
) -> int:
    """Serve the MLflow UI on these results, on this machine only unless told otherwise.

    Beside it the live page shows how a run goes; it stays on this machine whatever --host says.
    """
    from harness.track import serve_ui

    try:
        with live_page(results, live_port, stays=False) as page:
            typer.echo(f"live page of runs: {page}")
            return serve_ui(None, host, port, results=str(results))
    except KeyboardInterrupt:  # which is how it ends
        INTERRUPTIONS.over = True
        return 0
