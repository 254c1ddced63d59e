from collections.abc import Callable
from pathlib import Path

import pytest
from lean import UNDRAWN
from report_examples import Finished, finished_study
from sharing import replace_all, shared

from harness.figures import draw
from harness.report import build_page


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finished_study(tmp_path_factory)


@pytest.fixture(scope="session")
def built(finished: Finished, tmp_path_factory: pytest.TempPathFactory):
    """The report of one profile: the folder, the page and the Markdown text."""
    results = [finished.profiles["default"]]
    folder = shared(tmp_path_factory, "built", lambda folder: build_page(results, folder))
    return folder, (folder / "index.html").read_text(), (folder / "report.md").read_text()


@pytest.fixture(scope="session")
def both(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of both profiles, to be read; what is written goes elsewhere."""
    results = [*finished.profiles.values()]
    return shared(tmp_path_factory, "both", lambda folder: build_page(results, folder))


@pytest.fixture
def drawn_only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function: of the figures, reports show those of these names, and claims none."""

    def restrict(*names: str) -> None:
        replace_all(monkeypatch, UNDRAWN)
        monkeypatch.setattr(
            "harness.report.view.draw", lambda name, *of: draw(name, *of) if name in names else []
        )

    return restrict
