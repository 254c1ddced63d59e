"""What a run will need soon is begun while something else goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Thread

from harness.cluster import Head, start_head
from harness.run.outcome import RunOptions
from harness.run.workers import needs_of
from harness.study import Study


@contextmanager
def begun_ray(study: Study, options: RunOptions) -> Iterator[Head | None]:
    """Start a Ray of our own, where a run needs one, while its data are read."""
    if options.in_process or options.address is not None:
        yield None
        return
    head = start_head(needs_of(study, options.results))
    try:
        yield head
    finally:
        head.stop()


class JudgesImport:
    """Imports what judges and draws, a second's work, while the last trials leave a core idle."""

    def __init__(self) -> None:
        self._begun = False

    def begin(self) -> None:
        """Begin, unless it was begun before."""
        if not self._begun:
            self._begun = True
            Thread(target=_import, args=["harness.run.results", "harness.report"]).start()


def _import(*modules: str) -> None:
    for module in modules:
        import_module(module)
