"""The command line. Each command imports what it needs when it is called, so that help is quick."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line and end with its exit status.

    Before anything else is imported, the folder of the script and the working folder leave the
    search path of modules: the working folder is searched last, and for own code alone.
    """
    gc.set_threshold(10_000, 10, 10)  # a tenth less time: what is imported is searched for garbage
    here = os.getcwd()
    entries = sys.path if sys.flags.safe_path else sys.path[1:]
    sys.path[:] = [entry for entry in entries if os.path.realpath(entry or ".") != here]
    # to look for plugins of pydantic, it reads the metadata of every package that is installed
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from harness.own import search_last

    search_last([here])
    from harness.cli.app import main as run_and_exit

    run_and_exit()


__all__ = ["main"]
