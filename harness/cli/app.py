"""The `harness` command: its sub-commands, and what an error becomes."""

from __future__ import annotations

import _thread
import errno
import gc
import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from types import FrameType

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
from harness.cli.width import in_width
from harness.errors import InputError

DONE, SOME_FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 128
"""Exit statuses; the last one plus the signal's number: 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP."""
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_MOMENT, _PATIENCE = 0.2, 10.0  # seconds
_HOLDING = {logging.__file__, "<frozen importlib._bootstrap>"}
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


class _Signals:
    """Lets SIGTERM and SIGHUP end the command as Ctrl-C does, so that one way out serves all.

    While the command is on this way, further signals change nothing: what is to be closed is
    closed. An interruption that gets lost, as in a callback of a library that drops every
    exception, comes again. A signal that was ignored from the beginning, as under `nohup`, stays
    ignored.
    """

    def __init__(self) -> None:
        self.received = signal.SIGINT
        self.over = False  # whether the command has come to its end
        self._asked = 0.0  # when the first signal came

    def install(self) -> None:
        """Take over the signals that ask a process to end."""
        for number in _ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._interrupt)
        sys.unraisablehook = _say_what_was_dropped

    def ignore(self) -> None:
        """Let the process end undisturbed, now that its exit status is known."""
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.over:
            return
        if not self._asked:
            self.received, self._asked = signal.Signals(number), time.monotonic()
            _thread.start_new_thread(self._send_again, (number,))
        if not _is_interruption(sys.exception()) and not self._is_to_wait(frame):
            raise KeyboardInterrupt

    def _send_again(self, number: int) -> None:
        """Send the signal until the command is over; code of the user's cannot stop this thread.

        A timer would be stopped with those that such code leaves behind (`harness.isolation`).
        """
        time.sleep(_MOMENT)
        while not self.over:
            signal.pthread_kill(threading.main_thread().ident or 0, number)
            time.sleep(_MOMENT)

    def _is_to_wait(self, frame: FrameType | None) -> bool:
        """Tell whether an exception here would leave a lock behind or a module half imported.

        Logging holds a lock that every thread needs, and so does an import; another thread would
        wait for it forever.
        """
        if time.monotonic() - self._asked > _PATIENCE:
            return False
        while frame is not None and frame.f_code.co_filename not in _HOLDING:
            frame = frame.f_back
        return frame is not None


def _say_what_was_dropped(lost: sys.UnraisableHookArgs) -> None:
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(lost)


_signals = _Signals()


def main() -> None:
    """Run the command line and end with its exit status."""
    _signals.install()
    status = run(sys.argv[1:])
    _signals.ignore()
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
    _signals.over = False
    try:
        try:
            with documents_alone(arguments):
                status = app(arguments, standalone_mode=False)
        finally:
            _signals.over = True
    except (KeyboardInterrupt, typer.Abort):
        status = _CTRL_C
    except Exception as error:
        status = _CTRL_C if _is_interruption(error) else _status_of(error)
        if status is None:
            raise
        if status != _CTRL_C:
            for line in _said(error).splitlines():
                sys.stderr.write(in_width(f"harness: {line}", stream=sys.stderr) + "\n")
    if status == _CTRL_C:
        status = INTERRUPTED + _signals.received
        with suppress(OSError):  # the terminal may be gone
            sys.stderr.write(f"harness: {_INTERRUPTED}\n")
    return status if isinstance(status, int) else DONE


def _is_interruption(error: BaseException | None) -> bool:
    """Tell whether an exception is an interruption, or came up on the way out after one."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


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
