"""The live page: the command that serves it, and what starts that for other commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import options
from harness.cli.options import RESULTS
from harness.errors import InputError

LivePort = Annotated[
    int | None, typer.Option(help="of the live page on this machine; default: 8420, or a free one")
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(live)


def live(
    port: LivePort = None,
    owner: Annotated[
        int | None, typer.Option("--owner", hidden=True, help="a process to end after")
    ] = None,
    results: options.Results = RESULTS,
) -> int:
    """Serve a page on this machine that shows the runs of these results while they go on.

    It reads the records and changes nothing. `harness run --live` starts it as well.
    """
    from harness.live import serve

    serve(results, port, tell=_tell if owner is None else _tell_owner, owner=owner)
    return 0


def _tell(address: str) -> None:
    typer.echo(f"live page: {address}  (Ctrl-C ends it)")
    sys.stdout.flush()


def _tell_owner(address: str) -> None:
    """Give the address to the process that started this one, which may end before it."""
    typer.echo(address)
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


@contextmanager
def live_page(results: Path, port: int | None, *, stays: bool) -> Iterator[str]:
    """Have the page served by a process of its own, and give its address.

    One that serves these results already is used, so that an open page goes on.

    Args:
        results: the folder of the records.
        port: as the command's.
        stays: whether the page goes on for a while after this process, so that it tells how a run
            ended; else it ends with it.

    Raises:
        InputError: if the port is in use by something else.
    """
    from harness.live import LIVE_PORT, answers
    from harness.live.server import address_of
    from harness.own import isolated

    wanted = LIVE_PORT if port is None else port
    if wanted and answers(results, wanted):
        yield address_of(wanted)
        return
    command = [sys.executable, "-m", "harness", "live", "--results", str(results.resolve())]
    command += ["--owner", str(os.getpid())] + ([] if port is None else ["--port", str(port)])
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **isolated()},
            start_new_session=True,  # what ends the run at the terminal leaves the page alone
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    assert process.stdout is not None
    assert process.stderr is not None
    address = process.stdout.readline().strip()
    process.stdout.close()
    if not address:
        said = process.stderr.read().strip()
        process.wait()
        raise InputError(said.removeprefix("harness: ") or "the live page could not be served")
    try:
        yield address
    finally:
        if not stays:
            process.terminate()
            process.wait()
