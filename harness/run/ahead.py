"""What a run will need soon is begun while something else goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
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


@cache
def import_what_judges() -> None:
    """Begin to import what judges and draws, a second's work, if that was not begun before."""
    Thread(target=_import, args=["harness.run.results", "harness.report"]).start()


def _import(*modules: str) -> None:
    for module in modules:
        import_module(module)
