import shutil
import socket

import pytest
from lean import UNMIRRORED
from live_examples import lay_out
from sharing import replace_all, shared

from harness import api
from harness.run.observer import Observer


@pytest.fixture
def free_port():
    """A port that nobody listens on now, as text."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


class Interrupting(Observer):
    """Presses Ctrl-C once so many trials have ended."""

    def __init__(self, after):
        self.left = after

    def finished(self, record, assignments, reused):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def interrupted(study, folder, after, **options):
    """Run a study in this process until so many trials have ended."""
    where = {"results": folder / "results", "reports": folder / "reports", "in_process": True}
    with pytest.raises(KeyboardInterrupt):
        api.run(study, observers=[Interrupting(after)], **where, **options)


@pytest.fixture
def stopped_after():
    return interrupted


@pytest.fixture(scope="module")
def ended_once(tmp_path_factory):
    """A folder with a live run of the slow study that was interrupted after sixteen trials."""
    with pytest.MonkeyPatch.context() as patched:
        replace_all(patched, UNMIRRORED)
        return shared(
            tmp_path_factory,
            "interrupted",
            lambda made: interrupted(lay_out(made), made, 16, live=True),
        )


@pytest.fixture
def ended(ended_once, tmp_path):
    """A copy of it."""
    return shutil.copytree(ended_once, tmp_path / "copy")
