import gc
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from browsing import CHROMIUM, FLAGS
from hypothesis import settings
from lean import UNDRAWN, UNMIRRORED
from sharing import TINY, one_word, replace_all, shared

from harness.data.docstrings import _sentences as docstrings_of
from harness.track.addresses import sqlite_path
from harness.track.mirror import CLIENT_ENVIRONMENT, Mirror

settings.register_profile("any-machine", deadline=None)  # a busy one takes its time
settings.load_profile("any-machine")

# A shell starts background jobs with SIGINT ignored, and children inherit that; the tests that
# interrupt a run need it as a terminal would have it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure() -> None:
    """Collect tests without a search for garbage, which would be a quarter of that time."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Leave out of later searches what was imported and collected: a million objects."""
    gc.enable()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that hold most slow tests, so that none is left over at the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A small study file of four arms: 12 search trials and 25 confirmation trials."""
    file = tmp_path / "tiny.yaml"
    file.write_text(TINY)
    return file


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with tables only; making one takes seconds."""
    return shared(tmp_path_factory, "template", _make_tables) / "mlflow.db"


TABLES = "import sys, mlflow; mlflow.MlflowClient(sys.argv[1]).search_experiments()"


def _make_tables(folder: Path) -> None:
    command = [sys.executable, "-c", TABLES, f"sqlite:///{folder}/mlflow.db"]
    subprocess.run(command, check=True, env={**os.environ, **CLIENT_ENVIRONMENT})


@pytest.fixture(scope="session", autouse=True)
def copied_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A run in this process finds MLflow's tables made; runs in others make their own."""
    prepare = Mirror.prepare

    def prepared(mirror: Mirror) -> None:
        database = sqlite_path(mirror.tracking_uri)
        if database is not None and database.parent.is_dir() and not database.exists():
            template = shared(tmp_path_factory, "template", _make_tables)
            try:
                shutil.copy(template / "mlflow.db", database)
            except OSError:  # a full disk is met as it would be
                database.unlink(missing_ok=True)
        prepare(mirror)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Mirror, "prepare", prepared)
        yield


@pytest.fixture(scope="session", autouse=True)
def docstrings_read_once() -> Iterator[None]:
    """The data set of docstrings parses 200 modules of Python, which takes more than a second."""
    read = cache(docstrings_of)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("harness.data.docstrings._sentences", lambda files: read(tuple(files)))
        yield


@pytest.fixture
def unmirrored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without MLflow, which has tests of its own and takes seconds to start."""
    replace_all(monkeypatch, UNMIRRORED)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without pictures, which have tests of their own and take most of a small run."""
    replace_all(monkeypatch, UNDRAWN)


@pytest.fixture(scope="module")
def unreported() -> Iterator[None]:
    """Reports of one word, for a whole module: drawing one is more than half of a small run."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("harness.report.build_page", one_word)
        yield


@pytest.fixture(scope="module")
def browser():
    """A Chromium of the system, for the pages of one module."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed on this machine")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()
