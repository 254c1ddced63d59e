"""The command that sends a study somewhere: one sub-command of `harness launch` for each place."""

from __future__ import annotations

import inspect
import json
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from harness.cli import options
from harness.cli.options import REPORTS, RESULTS
from harness.errors import InputError, nearest

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from harness.launch import Job, Launcher
    from harness.study import Study


class _Places(TyperGroup):
    """The places by name; what one needs to know is imported when it is named."""

    def list_commands(self, ctx: Any) -> list[str]:
        from harness.registry import LAUNCHERS

        del ctx
        return LAUNCHERS.names()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        from harness.registry import LAUNCHERS

        if cmd_name not in LAUNCHERS.names() and ctx.resilient_parsing:  # a shell completes
            return None
        if cmd_name not in LAUNCHERS.names():
            names = ", ".join(LAUNCHERS.names())
            raise InputError(
                f"there is no place '{cmd_name}' (known: {names})"
                f"{nearest(cmd_name, LAUNCHERS.names())}"
            )
        place = typer.Typer(rich_markup_mode=None, add_completion=False)
        place.command(name=cmd_name)(_command(cmd_name))
        return typer.main.get_command(place)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    places = typer.Typer(cls=_Places, rich_markup_mode=None, no_args_is_help=True)
    places.callback()(launch)
    app.add_typer(places, name="launch")


def launch() -> None:
    """Write, and hand in, the file that runs a study on a cluster: SLURM, Kubernetes, Ray jobs."""


def _command(name: str) -> Any:
    """Return the sub-command of a place, whose options are those of all places and its own."""
    from harness.registry import LAUNCHERS

    place: type[Launcher] = LAUNCHERS.find(name)

    def command(**given: Any) -> int:
        own = {key: given.pop(key) for key in place.model_fields}
        return _launch(name, {k: v for k, v in own.items() if v is not None}, **given)

    shared = inspect.signature(_shared, eval_str=True).parameters
    own = {
        key: inspect.Parameter(
            key,
            inspect.Parameter.KEYWORD_ONLY,
            default=_default(field),
            annotation=Annotated[_plain(field.annotation), typer.Option(help=field.description)],
        )
        for key, field in place.model_fields.items()
    }
    parameters = {**shared, **own}
    command.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
    command.__annotations__ = {key: one.annotation for key, one in parameters.items()}
    command.__doc__ = place.__doc__
    return command


def _default(field: FieldInfo) -> Any:
    if field.is_required():
        return inspect.Parameter.empty
    return None if field.default_factory else field.default


def _plain(annotation: Any) -> Any:
    """Return the type of an option: the checks are the place's own."""
    for plain in (bool, int, float):
        if annotation is plain:
            return plain
    return list[str] | None if "list" in str(annotation) else str | None


def _shared(
    study: options.StudyFile,
    *,
    profile: options.Profile = None,
    overrides: options.Overrides = None,
    results: options.Results = RESULTS,
    out: options.Reports = REPORTS,
    data_root: options.DataRoot = None,
    tracking_uri: options.TrackingUri = None,
    max_cost: Annotated[
        float | None,
        typer.Option(help="start no trial beyond it, however often the job goes on; see run"),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="what to write; default: in launch/ of the results")
    ] = None,
    submit: Annotated[bool, typer.Option("--submit", help="hand it in, too")] = False,
) -> None:
    """Options that all places have in common."""


def _launch(name: str, settings: dict[str, Any], **given: Any) -> int:
    from harness.launch import job_of, launcher
    from harness.study import load_study

    place = launcher(name, settings)
    overrides = tuple(given["overrides"] or ())
    loaded = load_study(given["study"], given["profile"], overrides)
    limit, priced = _limit(given["max_cost"], loaded.study)
    overrides += priced
    job = job_of(
        loaded,
        folder=Path.cwd(),
        results=given["results"],
        options={
            "--out": given["out"],
            "--data-root": given["data_root"],
            "--tracking-uri": given["tracking_uri"],
            **limit,
        },
        overrides=overrides,
    )
    if problems := list(place.problems(job)):
        raise InputError("\n".join(problems))
    file = _write(place, job, given["file"])
    typer.echo(f"{file} is written")
    if given["submit"]:
        return _submit(place.submission(file))
    typer.echo(f"read it, then: {shlex.join(place.submission(file))}")
    return 0


def _limit(max_cost: float | None, study: Study) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the options that limit a job's cost from now on, and the prices as an override.

    The prices of whoever asks go along, for there may be none where the job runs.

    Raises:
        InputError: if it is no amount, or no price is known.
    """
    from harness.run.limits import limits_of, plain_prices

    if max_cost is None:
        return {}, ()
    limits_of(None, max_cost, None, [study])
    priced = () if study.prices else (f"prices={json.dumps(plain_prices(study))}",)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"--max-cost": f"{max_cost:g}", "--since": now}, priced


def _write(place: Launcher, job: Job, wanted: Path | None) -> Path:
    file = (wanted or job.results / "launch" / f"{job.name}{place.suffix}").absolute()
    text = place.document(job, file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"--file: '{file}' cannot be written: {error.strerror}") from None
    return file


def _submit(command: list[str]) -> int:
    import subprocess

    try:
        return subprocess.run(command, check=False).returncode
    except FileNotFoundError:
        raise InputError(
            f"'{command[0]}' is not on this machine; hand the file in where it is"
        ) from None
