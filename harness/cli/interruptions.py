"""Signals that ask a command to end: one way out for all of them, and none is lost."""

from __future__ import annotations

import _thread
import logging
import signal
import sys
import threading
import time
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_MOMENT, _PATIENCE = 0.2, 10.0  # seconds
_HOLDING = {logging.__file__, "<frozen importlib._bootstrap>"}


class Interruptions:
    """Lets SIGTERM and SIGHUP end the command as Ctrl-C does, so that one way out serves all.

    While the command is on this way, further signals change nothing: what is to be closed is
    closed. An interruption that gets lost, as in a callback of a library that drops every
    exception, comes again. A signal that was ignored from the beginning, as under `nohup`, stays
    ignored.
    """

    def __init__(self) -> None:
        self.received = signal.SIGINT
        self.over = False  # whether signals change nothing any more: the command ends by itself
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
        if not is_interruption(sys.exception()) and not self._is_to_wait(frame):
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


INTERRUPTIONS = Interruptions()
"""Those of this process."""


def _say_what_was_dropped(lost: sys.UnraisableHookArgs) -> None:
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(lost)


def is_interruption(error: BaseException | None) -> bool:
    """Tell whether an exception is an interruption, or came up on the way out after one."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None
