"""The folder in which a training of the user's own runs: its own, and gone afterwards.

Trainings write files of fixed names (`best.pt`, `checkpoint-27`) and read them again. Had they one
folder, one of them would go on with the weights of another.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.own import TRAININGS
from harness.own.reach import reach
from harness.train.data_parallel import Ranks


@contextmanager
def own_folder(name: str, ranks: Ranks | None = None) -> Iterator[None]:
    """Let a training work in an empty folder; the files that its modules declare are linked there.

    Args:
        name: of the function that trains.
        ranks: the processes that train together, if there are several; those of one machine get
            one folder, as where they are started by hand.

    Raises:
        FileNotFoundError: of the training, with a word on where it runs.
    """
    process, before = os.getpid(), os.getcwd()
    parent = os.environ.get(TRAININGS)
    made = place = os.path.realpath(tempfile.mkdtemp(prefix="harness-training-", dir=parent))
    try:
        _link(name, Path(made))
        if ranks is not None:
            place = next(filter(os.path.isdir, ranks.gathered(made)))
        os.chdir(place)
        yield
    except FileNotFoundError as error:
        named = error.filename if isinstance(error.filename, str) else ""
        if os.path.join(made, named).startswith(made):  # no other place was named
            error.add_note(
                "A training runs in an empty folder of its own: a file that it reads is named in"
                " DATA_FILES of its module, or by its whole path."
            )
        raise
    finally:
        if os.getpid() == process:  # not in a child that the training forked
            if _working_folder() in (place, None):  # else the training changed it, which is told
                os.chdir(before)
            shutil.rmtree(made, ignore_errors=True)


def _working_folder() -> str | None:
    """Return the working directory; None if it was removed."""
    with suppress(FileNotFoundError):
        return os.getcwd()
    return None


def _link(name: str, folder: Path) -> None:
    """Link the files that a function's modules declare; of two of one path the nearer is taken."""
    for module in reach(name).modules.values():
        for path, file in module.data:
            place = folder / path
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(os.path.abspath(file))
