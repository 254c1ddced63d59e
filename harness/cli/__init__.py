"""The command line. Each command imports what it needs when it is called, so that help is quick."""

from __future__ import annotations


def main() -> None:
    """Run the command line and end with its exit status.

    Before anything else is imported, the working folder leaves the modules' search path: it is
    searched last, and for a study's own code alone.
    """
    from harness.own_imports import isolate

    isolate()
    from harness.cli.app import main as run_and_exit

    run_and_exit()


__all__ = ["main"]
