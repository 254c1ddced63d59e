"""The `harness` command: its sub-commands, and what an error becomes."""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
from contextlib import suppress

import typer

from harness.cli import (
    benchmark,
    cards,
    guarding,
    importing,
    launching,
    live,
    models,
    results,
    studies,
    trials,
)
from harness.cli.documents import documents_alone
from harness.cli.interruptions import INTERRUPTIONS, is_interruption
from harness.cli.width import in_width
from harness.errors import InputError

DONE, SOME_FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 128
"""Exit statuses; the last one plus the signal's number: 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP."""
_CTRL_C = INTERRUPTED + signal.SIGINT  # what Typer makes of every interruption
_INTERRUPTED = "interrupted; everything recorded is kept, run again to go on"
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}

app = typer.Typer(
    name="harness",
    help="Ablation studies of deep learning with verdicts that can be trusted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
studies.register(app)
results.register(app)
trials.register(app)
guarding.register(app)
cards.register(app)
benchmark.register(app)
models.register(app)
importing.register(app)
launching.register(app)
live.register(app)


def main() -> None:
    """Run the command line and end with its exit status."""
    INTERRUPTIONS.install()
    status = run(sys.argv[1:])
    INTERRUPTIONS.ignore()
    if status > INTERRUPTED:
        # Ray's core crashes at times where Python clears away what was half started; and Python
        # ends by SIGINT, whatever the status, if the interruption came while it ran a string.
        with suppress(OSError):  # the terminal may be gone
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)
    if "torch" not in sys.modules:  # it tells of everything that is not collected, at length
        gc.freeze()  # what is left goes with the process: to collect it first takes up to a second
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status; say what is wrong on standard error."""
    INTERRUPTIONS.over = False
    try:
        try:
            with documents_alone(arguments):
                status = app(arguments, standalone_mode=False)
        finally:
            INTERRUPTIONS.over = True
    except (KeyboardInterrupt, typer.Abort):
        status = _CTRL_C
    except Exception as error:
        status = _CTRL_C if is_interruption(error) else _status_of(error)
        if status is None:
            raise
        if status != _CTRL_C:
            for line in _said(error).splitlines():
                sys.stderr.write(in_width(f"harness: {line}", stream=sys.stderr) + "\n")
    if status == _CTRL_C:
        status = INTERRUPTED + INTERRUPTIONS.received
        with suppress(OSError):  # the terminal may be gone
            sys.stderr.write(f"harness: {_INTERRUPTED}\n")
    return status if isinstance(status, int) else DONE


def _said(error: Exception) -> str:
    if isinstance(error, OSError):
        where = f"'{error.filename}'" if error.filename else "a file"
        return (
            f"{where} cannot be used: {error.strerror}; check the disk's free space and the "
            "permissions, and run again: everything recorded is kept"
        )
    return str(error.format_message() if hasattr(error, "format_message") else error)


def _status_of(error: Exception) -> int | None:
    """Return the exit status that an error means, None for one that nobody foresaw.

    The kinds of errors are imported here, where one has come up: their modules are slow to import.
    """
    from harness.cluster.executor import ClusterError
    from harness.extras import ExtraMissingError
    from harness.own.lookup import CodeMissingError
    from harness.pretrained import WeightsMissingError
    from harness.store import StoreError
    from harness.workloads import DataMissingError

    if isinstance(error, ClusterError):
        return SOME_FAILED
    if isinstance(error, OSError):
        return WRONG_INPUT if error.errno in _DISK else None
    wrong = (InputError, StoreError, DataMissingError, WeightsMissingError, CodeMissingError,
             ExtraMissingError)  # fmt: skip
    in_command_line = hasattr(error, "format_message")
    return WRONG_INPUT if in_command_line or isinstance(error, wrong) else None
