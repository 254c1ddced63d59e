import pytest
from report_examples import Finished, finished_study

from harness.report import build_page


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finished_study(tmp_path_factory)


@pytest.fixture(scope="session")
def built(finished: Finished, tmp_path_factory: pytest.TempPathFactory):
    """The report of one profile: the folder, the page and the Markdown text."""
    folder = build_page([finished.profiles["default"]], tmp_path_factory.mktemp("built"))
    return folder, (folder / "index.html").read_text(), (folder / "report.md").read_text()
