"""The scoreboard and studies that only others ran: judged when asked for, and once."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from harness.api import run
from harness.publish import Published, folder
from harness.publish.read import data_of
from harness.report import StudyBoard, build_scoreboard
from harness.report.sources import known_sources
from harness.run import reports
from harness.run.boards import NOTES
from harness.run.reports import origins_in
from harness.run.results import Results, open_results
from harness.store import DATABASE, open_store
from harness.trial import Phase

FILES = Path(__file__).parents[2] / "results" / "published"
OTHER = "activation-cost"
STUDY = {
    "study": "mine", "question": "Which?", "seeds": 5,
    "workload": {"data": {"name": "digits", "limit": 300}, "epochs": 1,
                 "model": {"name": "mlp", "width": 8, "depth": 1}},
    "factors": {"width": {"path": "model.width", "levels": [4, 8]}},
    "claims": [{"id": "wider", "says": "s", "metric": "test.accuracy",
                "contrast": {"width": [8, 4]}, "greater_by": 0.01}],
}  # fmt: skip


@pytest.fixture
def read(tmp_path, monkeypatch, unreported, unmirrored):
    """A folder with the published records of another study; tell which files are read."""
    monkeypatch.chdir(tmp_path)
    for name in (f"{OTHER}.quick.json.gz", "markov.quick.json.gz"):
        (tmp_path / "results" / "published").mkdir(parents=True, exist_ok=True)
        shutil.copy(FILES / name, tmp_path / "results" / "published")
    found, really = [], folder.read_file

    def noted(file):
        found.append(file.name.partition(".")[0])
        return really(file)

    monkeypatch.setattr(folder, "read_file", noted)
    return found


def on_the_board():
    """The studies whose claims the scoreboard shows, and whether some are waiting."""
    page = Path("reports/index.html").read_text()
    shown = {name for name in ("mine", OTHER, "markov") if f'data-study="{name}"' in page}
    return shown, "Nobody has judged them here yet" in page


def test_a_run_judges_no_records_of_others(read):
    run(STUDY, in_process=True)
    assert read == []
    assert on_the_board() == ({"mine"}, True)
    assert "Published records of 2 more studies" in Path("reports/index.md").read_text()
    reports.build_reports(open_results(Path("results")), ["mine"], Path("reports"))
    assert set(read) == {OTHER, "markov"}
    assert on_the_board() == ({"mine", OTHER, "markov"}, False)
    read.clear()
    first = Path("reports/index.html").read_bytes()
    run({**STUDY, "seeds": 6}, in_process=True)
    assert read == []  # they are shown as they were judged before
    assert on_the_board() == ({"mine", OTHER, "markov"}, False)
    assert Path("reports/index.html").read_bytes() != first


@pytest.mark.parametrize("text", ["", "[]", '{"markov": 3}', '{"markov": ["x", {}]}'])
def test_damaged_notes_count_as_none(read, text):
    run(STUDY, in_process=True)
    Path("reports", NOTES).write_text(text)
    reports.build_reports(open_results(Path("results")), [], Path("reports"))
    assert on_the_board() == ({"mine", OTHER, "markov"}, False)


def test_a_published_file_that_changed_is_judged_again(read):
    at_hand = open_results(Path("results"))
    reports.build_reports(at_hand, [], Path("reports"))
    read.clear()
    shutil.copy(FILES / "inside-image-networks.quick.json.gz", "results/published")
    reports.build_reports(open_results(Path("results")), [], Path("reports"))
    assert set(read) == {OTHER, "markov", "inside-image-networks"}


def test_what_is_kept_of_a_study_gives_the_same_page(tmp_path):
    from harness.report import arranged

    for name in (OTHER, "markov"):
        files = Published(files=[folder.read_file(FILES / f"{name}.quick.json.gz")])
        (board,) = arranged(Results(None, files).judged())
        kept = json.loads(json.dumps(board.to_dict()))
        for place, shown in (("a", board), ("b", StudyBoard.from_dict(kept, known_sources()))):
            build_scoreboard([shown], tmp_path / place)
        for page in ("index.html", "index.md"):
            assert (tmp_path / "a" / page).read_bytes() == (tmp_path / "b" / page).read_bytes()


def test_what_a_file_is_about_is_found_out_once(read, monkeypatch):
    looked = []

    def noted(file):
        looked.append(file.name)
        return data_of(file)

    monkeypatch.setattr(folder, "data_of", noted)
    published = Published(Path("results/published"))
    for _ in range(3):
        assert published.with_data({"nothing"}) == []
    assert sorted(looked) == [f"{OTHER}.quick.json.gz", "markov.quick.json.gz"]


def test_an_earlier_execution_that_a_merge_brings_is_told(read):
    run(STUDY, in_process=True)
    store = open_store(Path("results"))
    (mine,) = store.latest_executions()
    before = origins_in(store).of("mine")
    with sqlite3.connect(store.folder / DATABASE) as other:
        other.execute(
            "INSERT INTO executions (study, profile, plan_hash, declaration, context, started,"
            " status, checksum) SELECT 'other', profile, plan_hash, declaration, context,"
            " started - 1, status, checksum FROM executions WHERE id = ?",
            (mine.id,),
        )
    assert origins_in(store).of("mine") != before
    store.close()


def test_only_files_on_the_same_data_are_read(read):
    published = Published(Path("results/published"))
    (markov,) = published.of({"markov"})
    read.clear()
    assert [file.execution.study for file in published.with_data(markov.data)] == ["markov"]
    assert published.with_data({"nothing"}) == []
    assert read == []
    other = Published(Path("results/published"))
    assert [file.execution.study for file in other.with_data(markov.data)] == ["markov"]
    assert read == ["markov"]


def test_few_files_are_kept_whole_and_of_the_others_who_looked(read, monkeypatch):
    monkeypatch.setattr(folder, "KEPT", 1)
    published = Published(Path("results/published"))
    (markov,) = published.of({"markov"})
    assert any(item.record.curve for item in markov.items)
    published.of({OTHER})  # of which markov is dropped
    read.clear()
    (looked,) = published.with_data(markov.data)
    assert read == []
    confirmed = [item.trial_id for item in markov.items if item.phase is Phase.CONFIRMATION]
    assert [item.trial_id for item in looked.items] == confirmed
    assert not any(item.record.curve for item in looked.items)
    assert published.of({"markov"}) == [markov]  # read again
    assert read == ["markov"]
