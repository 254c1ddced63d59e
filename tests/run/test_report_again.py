"""A report that would come out the same is not drawn again."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from harness.figures import draw as draw_figure
from harness.publish import write_file
from harness.report import build_page, view
from harness.report.panels.curves import Curves
from harness.run import pages
from harness.run.reports import build_reports
from harness.run.results import open_results
from harness.run.study_run import RunOptions, run_study
from harness.store import open_store
from harness.study import load_study

CASES = Path(__file__).parents[1] / "cases"
STUDY = {
    "study": "drawn", "question": "q", "seeds": 5,
    "workload": {"epochs": 3, "keep": "last", "training": {
        "name": "reports:train", "settings": {"arm": "a"}, "metric": "validation.mse"}},
    "factors": {"kind": {"path": "training.settings.arm", "levels": ["a", "b"]}},
    "claims": [{"id": "c", "says": "s", "metric": "test.accuracy",
                "contrast": {"kind": ["a", "b"]}, "within": 0.1}],
}  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Run a small study, and publish it; return the folder of its results."""
    folder = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(CASES)
        run_study(load_study(STUDY), RunOptions(folder / "results", folder / "r", in_process=True))
        store = open_store(folder / "results")
        write_file(store, store.latest_executions()[0], folder / "results" / "published")
        store.close()
        sys.modules.pop("reports", None)
    return folder / "results"


@pytest.fixture
def draw(ran, tmp_path, monkeypatch):
    """Return what builds the report of a clone or of a store, and says whether it was drawn."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(CASES)
    shutil.copytree(ran / "published", tmp_path / "clone" / "published")
    shutil.copytree(ran, tmp_path / "store")
    calls = []

    def counted(*arguments, **more):
        calls.append(arguments)
        return build_page(*arguments, **more)

    def one_picture(name, *of):
        return draw_figure(name, *of) if name == "learning_curves" else []

    monkeypatch.setattr("harness.report.build_page", counted)
    monkeypatch.setattr(view, "draw", one_picture)

    def build(folder="clone", out="reports"):
        before = len(calls)
        made = build_reports(open_results(Path(folder)), ["drawn"], Path(out))
        assert made.faults == []
        assert made.folders == {"drawn": Path(out) / "drawn"}
        return len(calls) > before

    yield build
    sys.modules.pop("reports", None)


def files(folder):
    return {f.relative_to(folder): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


@pytest.mark.parametrize("folder", ["clone", "store"])
def test_it_stands_until_something_differs(draw, folder):
    page = Path("reports/drawn/index.html")
    assert draw(folder)
    first = files(page.parent)
    assert not draw(folder)
    page.write_text("edited")
    assert draw(folder)
    next(page.parent.glob("figures/*/*.svg")).unlink()
    assert draw(folder)
    assert not draw(folder)
    (page.parent / "stray.txt").touch()  # counted among its files, which are not as they were
    assert draw(folder)
    (page.parent / "stray.txt").unlink()
    Path("reports", pages.NOTES).write_text("{")
    assert draw(folder)
    assert not draw(folder)
    assert files(page.parent) == first
    today = {**STUDY, "claims": [{**STUDY["claims"][0], "within": 0.2}]}
    Path("studies").mkdir()
    Path("studies/drawn.yaml").write_text(json.dumps(today))
    assert draw(folder)
    assert "changed" in page.read_text()


def test_other_code_and_other_packages_draw_it_again(draw, monkeypatch):
    assert draw()
    monkeypatch.setattr(pages, "package_version", lambda: "0" * 16)
    assert draw()
    assert not draw()
    monkeypatch.setattr(pages, "plugins", lambda kind: {"shown": []} if kind == "panels" else {})
    assert draw()
    assert draw()  # what other packages draw may change at any time


def test_other_records_draw_it_again(draw):
    assert draw()
    assert draw("store")  # the same trials, which were run here
    assert not draw("store")


def test_a_page_that_lacks_something_is_drawn_again(draw, monkeypatch):
    def fail(*_):
        raise KeyError("level.c")

    with monkeypatch.context() as patch:
        patch.setattr(Curves, "blocks", fail)
        made = build_reports(open_results(Path("clone")), ["drawn"], Path("reports"))
        assert "could not be drawn" in str(made.faults[0])
        assert json.loads(Path("reports", pages.NOTES).read_text()) == {}
    assert draw()
    assert not draw()
