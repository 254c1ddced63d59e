"""The `harness` command: its sub-commands, and what an error becomes."""

from __future__ import annotations

import errno
import gc
import sys

import typer

from harness.cli import cards, importing, models, results, studies
from harness.study.errors import InputError

DONE, SOME_FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
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
cards.register(app)
models.register(app)
importing.register(app)


def main() -> None:
    """Run the command line and end with its exit status."""
    status = run(sys.argv[1:])
    gc.freeze()  # what is left goes with the process: to collect it first takes up to a second
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status; say what is wrong on standard error."""
    try:
        status = app(arguments, standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except Exception as error:
        status = _status_of(error)
        if status is None:
            raise
        for line in _said(error).splitlines():
            sys.stderr.write(f"harness: {line}\n")
    if status == INTERRUPTED:
        sys.stderr.write("harness: interrupted; everything recorded is kept, run again to go on\n")
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
    from harness.workloads.sources import DataMissingError

    if isinstance(error, ClusterError):
        return SOME_FAILED
    if isinstance(error, OSError):
        return WRONG_INPUT if error.errno in _DISK else None
    wrong = (InputError, StoreError, DataMissingError, WeightsMissingError, CodeMissingError,
             ExtraMissingError)  # fmt: skip
    in_command_line = hasattr(error, "format_message")
    return WRONG_INPUT if in_command_line or isinstance(error, wrong) else None
