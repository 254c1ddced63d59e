"""Disks that are full or read-only, files that are damaged, two runs at once: said, nothing lost.

Every case goes through the command: what it prints, how it ends, and what is there afterwards.
"""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import contextmanager

import psutil
import pytest
from sharing import lean

from harness.cli.app import run
from harness.figures.at_a_glance import AtAGlance
from harness.figures.learning_curves import LearningCurves
from harness.report import StudyBoard, build, view
from harness.report.panels import arms
from harness.report.panels.plan import Plan
from harness.run import results
from harness.run.results import Results
from harness.store import DATABASE, conductor_lock, open_store
from harness.store.checksums import COVERED
from harness.trial import Phase

STUDY = """\
study: bad
question: What if?
workload:
  data: {name: digits, limit: 200}
  model: {name: mlp, depth: 1, width: {width}}
  optimizer: adam
  epochs: 2
simple_baseline: none
pretraining:
  low: {data: {classes: [0, 1, 2, 3, 4]}}
factors:
  activation: {path: model.activation, levels: [relu, tanh]}
arms:
  tuned: {data.classes: [5, 6, 7, 8, 9], transfer: {from: low}}
search: {space: {optimizer.lr: {log: [1.0e-3, 1.0e-1]}}, candidates: 2}
seeds: 5
claims:
  - {id: c, says: alike, metric: test.accuracy, contrast: {activation: [relu, tanh]}, within: 0.5}
"""
TRIALS = 1 + 3 * (2 + 5)
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")


class House:
    """One study, its results and its reports, and the command on them."""

    def __init__(self, folder, capsys, name="bad", width="8"):
        folder.mkdir(exist_ok=True)
        self.study = folder / f"{name}.yaml"
        self.study.write_text(
            STUDY.replace("study: bad", f"study: {name}").replace("{width}", width)
        )
        self.results, self.reports = folder / "results", folder / "reports"
        self._capsys = capsys

    @property
    def database(self):
        return self.results / DATABASE

    def run(self, *options):
        """Return the exit status, and what was said on standard error."""
        return self.command("run", str(self.study), "--in-process", "--json", *options)[::2]

    def command(self, name, *arguments):
        """Return the exit status, and what was said on standard output and on standard error."""
        places = ["--results", str(self.results)]
        places += [] if name == "claims" else ["--out", str(self.reports)]
        status = run([name, *arguments, *places])
        return status, *self._capsys.readouterr()

    def verdicts(self, *options):
        """Return the exit status of a run, and its verdicts with their numbers."""
        places = ["--results", str(self.results), "--out", str(self.reports)]
        status = run(["run", str(self.study), "--in-process", "--json", *places, *options])
        keep = ("verdict", "effect", "ci_low", "ci_high", "p_value", "trials")
        said = json.loads(self._capsys.readouterr().out)
        return status, [[claim[key] for key in keep] for claim in said["claims"]]

    def say(self, command, *options):
        """Return what another command says of its wrong input."""
        places = ["--out", str(self.reports)] if command == "report" else []
        assert run([command, *options, "--results", str(self.results), *places]) == 2
        return self._capsys.readouterr().err

    def garble(self, statement):
        """Change the database behind the harness's back; return the number of rows."""
        with sqlite3.connect(self.database) as connection:
            changed = connection.execute(statement).rowcount
        connection.close()
        return changed

    def rows(self, query):
        connection = sqlite3.connect(self.database)
        found = connection.execute(query).fetchall()
        connection.close()
        return found

    def records(self):
        store = open_store(self.results)
        found = {id_: store.record(id_) for id_ in store.states()}
        store.close()
        return found

    def outcomes(self):
        return {id_: record.deterministic_part() for id_, record in self.records().items()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The results of an undisturbed run."""
    folder = tmp_path_factory.mktemp("finished")
    with lean():
        (folder / "bad.yaml").write_text(STUDY.replace("{width}", "8"))
        places = ["--results", str(folder / "results"), "--out", str(folder / "reports")]
        assert run(["run", str(folder / "bad.yaml"), "--in-process", "--json", *places]) == 0
    return folder


@pytest.fixture
def house(tmp_path, capsys):
    return House(tmp_path, capsys)


@pytest.fixture
def furnished(restored, undrawn):
    """A house with a copy of the finished results, whose reports have no pictures from now on."""
    return restored


@pytest.fixture
def restored(house, finished, unmirrored):
    """A house with a copy of the finished results."""
    for name in ("results", "reports"):
        shutil.copytree(finished / name, getattr(house, name))
    # all of it in one file: what a log beside it holds is brought into it when it is opened
    connection = sqlite3.connect(house.database)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return house


@contextmanager
def mounted(folder, options):
    """Mount a small disk of its own on a folder."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


@AS_ROOT
@pytest.mark.slow
def test_a_full_disk_is_named_and_the_run_goes_on_when_there_is_space(house, finished, undrawn):
    """The mirror's database lies on the same disk."""
    whole = House(finished, None).outcomes()
    with mounted(house.results, "size=220k"):
        status, said = house.run()
        assert status == 2
        assert f"there is no space left for '{house.database}'; free some and run again" in said
        assert "Traceback" not in said
        remount(house.results, "size=64m")
        before = house.records()
        assert 0 < len(before) < TRIALS
        assert house.run()[0] == 0
        after = house.records()
        assert {id_: after[id_].started for id_ in before} == {
            id_: record.started for id_, record in before.items()
        }
        assert house.outcomes() == whole


@AS_ROOT
def test_a_disk_too_full_to_begin(house, unmirrored):
    with mounted(house.results, "size=4k"):
        status, said = house.run()
    assert status == 2
    assert "space" in said
    assert str(house.results) in said
    assert "Traceback" not in said


@AS_ROOT
@pytest.mark.parametrize("filled", [False, True], ids=["empty", "with a study"])
def test_a_read_only_results_folder(house, finished, unmirrored, filled):
    with mounted(house.results, "size=8m"):
        if filled:
            shutil.copytree(finished / "results", house.results, dirs_exist_ok=True)
        remount(house.results, "ro")
        status, said = house.run()
        remount(house.results, "rw")
        if filled:
            assert len(house.records()) == TRIALS
    assert status == 2
    assert f"the results folder '{house.results}' cannot be used (Read-only file system)" in said
    assert "choose another --results" in said


@AS_ROOT
def test_a_full_disk_of_reports_costs_no_verdict(furnished):
    shutil.rmtree(furnished.reports)
    with mounted(furnished.reports, "size=20k"):
        status, out, said = furnished.command("run", str(furnished.study), "--in-process", "--json")
    assert status == 1
    assert "bad: the report could not be written (" in said
    assert "No space left on device); the verdicts stand" in said
    result = json.loads(out)
    assert result["claims"][0]["verdict"] in ("supported", "refuted", "inconclusive")
    assert result["report"] is None
    assert len(result["left_out"]) == 2  # the scoreboard as well
    assert furnished.run() == (0, "")
    assert (furnished.reports / "bad" / "index.html").is_file()


@AS_ROOT
def test_reports_that_cannot_be_written_are_told_before_anything_is_trained(house, unmirrored):
    with mounted(house.reports, "size=1m,ro"):
        status, said = house.run()
    assert status == 2
    assert f"the folder of the reports, '{house.reports}', cannot be written" in said
    assert "Read-only file system" in said
    assert not house.database.exists()
    house.reports.rmdir()
    house.reports.write_text("a file is in the way")
    status, said = house.run()
    assert status == 2
    assert "cannot be written: File exists" in said
    assert not house.database.exists()


PAGES, BOARD = ("bad/index.html", "bad/report.md"), ("index.html", "index.md")


@pytest.mark.parametrize(
    ("module", "name", "what", "noted"),
    [
        (LearningCurves, "draw", "the picture learning-curves", PAGES),
        (arms, "all_arms", "the table of all arms", PAGES),
        (Plan, "blocks", "the section Plan", PAGES),
        (AtAGlance, "draw", "the picture at-a-glance", PAGES + BOARD),
        (view, "check", "the checks of integrity", PAGES + BOARD),
        (build, "page", "the page index.html", PAGES[:1]),
        (build, "markdown", "the page report.md", PAGES),
        (StudyBoard, "of", "its part of the scoreboard", BOARD),
    ],
)
def test_what_cannot_be_drawn_is_left_out_and_told(
    restored, monkeypatch, module, name, what, noted
):
    """Whatever a part of a report raises, the verdicts are said and all else is there."""

    def fail(*_, **__):
        raise KeyError("level.c")

    with monkeypatch.context() as patch:
        if module not in (LearningCurves, AtAGlance):
            patch.setattr(view, "draw", lambda *_: [])
        patch.setattr(module, name, fail)
        shutil.rmtree(restored.reports)
        command = "run", str(restored.study), "--in-process", "--json"
        status, out, said = restored.command(*command)
        verdict = json.loads(out)["claims"][0]["verdict"]
        told = f"harness: bad (default): left out: {what} could not be drawn (KeyError: 'level.c')"
        assert (status, said) == (1, f"{told}\n")
        assert verdict in ("supported", "refuted", "inconclusive")
        shown = {file: (restored.reports / file).read_text() for file in PAGES + BOARD}
        assert [file for file in shown if what in shown[file]] == list(noted)
        assert all(verdict in shown[file] for file in PAGES)
        if module is Plan:  # once for all: it is told as long as it is so
            assert restored.run() == (1, said)
    if module is Plan:
        assert restored.command("report")[::2] == (0, "")
        assert restored.run() == (0, "")


def test_one_study_never_costs_another_its_page_or_verdicts(furnished):
    other = furnished.study.with_name("other.yaml")
    text = furnished.study.read_text().replace("study: bad", "study: other")
    other.write_text(text)  # which shares its trials
    assert furnished.command("run", str(other), "--in-process", "--json")[0] == 0
    connection = sqlite3.connect(furnished.database)
    with connection:
        connection.execute(
            "UPDATE executions SET declaration = replace(declaration, 'contrast', 'kontrast')"
            " WHERE study = 'bad'"
        )
    connection.close()
    file = furnished.results / "published" / "gone.quick.json.gz"
    file.parent.mkdir()
    file.write_bytes(b"\x1f\x8b not at all")
    for status, *command in [
        (2, "claims"),
        (2, "claims", "--json"),
        (2, "report"),
        (2, "report", "bad"),
        (2, "report", "gone"),
        (0, "report", "other"),
        (0, "run", str(other), "--in-process", "--json", "--set", "alpha=0.04"),
    ]:
        found, out, said = furnished.command(*command)
        assert found == status, command
        gone, bad = sorted(said.splitlines(), key=lambda line: "bad" in line)
        assert gone.startswith(f"harness: gone (quick): '{file}' cannot be unpacked")
        assert bad.startswith("harness: bad (default): cannot be judged (")
        assert command[-1] in ("bad", "gone") or "other" in out or "scoreboard" in out
    board = (furnished.reports / "index.html").read_text()
    assert "cannot be judged" in board
    assert "other/index.html" in board
    status, _, said = furnished.command("card", "bad")
    assert (status, "cannot be judged" in said) == (2, True)


def test_an_error_in_judging_is_loud_for_its_study(furnished, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(results, "judge", fail)
    with pytest.raises(ZeroDivisionError):
        furnished.run("--set", "alpha=0.04")


def garble(file, start, size):
    content = bytearray(file.read_bytes())
    content[start : start + size] = b"\x5a" * size
    file.write_bytes(content)


DAMAGES = {
    "truncated": lambda file: os.truncate(file, file.stat().st_size // 2),
    "garbled in the middle": lambda file: garble(file, file.stat().st_size // 2, 20_000),
    "garbled at its start": lambda file: garble(file, 0, 200),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_is_named_and_not_touched(furnished, damage, monkeypatch):
    monkeypatch.chdir(furnished.results.parent)  # where the report puts its scoreboard
    DAMAGES[damage](furnished.database)
    before = furnished.database.read_bytes()
    for options in ([], ["--set", "seeds=6"]):
        status, said = furnished.run(*options)
        assert status == 2
        assert f"'{furnished.database}' is damaged" in said
        assert "restore a copy" in said
        assert len(said.splitlines()) == 1
        assert furnished.database.read_bytes() == before
    for command in ("report", "claims"):
        assert run([command, "--results", str(furnished.results)]) == 2


@pytest.mark.parametrize(
    "garbled",
    [
        "UPDATE records SET record = substr(record, 1, 50)",
        "UPDATE records SET record = replace(record, 'metrics', 'mEtrics')",
        "UPDATE records SET record = CAST(x'ff' || record AS TEXT)",
        "UPDATE records SET state = 'complfte'",
        "UPDATE candidates SET parameters = '{'",
    ],
)
def test_a_row_that_is_not_as_it_was_written(furnished, garbled):
    furnished.garble(garbled)
    status, said = furnished.run("--set", "seeds=6")
    assert status == 2
    assert f"'{furnished.database}' is damaged" in said


ONE = "(SELECT trial_id FROM assignments WHERE arm = 'tanh' AND phase = 'confirmation' LIMIT 1)"
FLIPPED = {  # one digit of what a verdict rests on, and what is said of it
    "a metric": (
        "UPDATE records SET record = replace(record, '\"test.accuracy\":0.', "
        f"'\"test.accuracy\":0.9') WHERE trial_id = {ONE}",
        "the record of the trial",
        "arm tanh",
    ),
    "a state": (
        f"UPDATE records SET state = 'failed' WHERE trial_id = {ONE}",
        "the record of the trial",
        "arm tanh",
    ),
    "an arm": (
        f"UPDATE assignments SET arm = 'relu', seed = 7 WHERE trial_id = {ONE}",
        "what a trial was for in run 1",
        "study bad (profile default)",
    ),
    "a margin": (
        "UPDATE executions SET declaration = replace(declaration, "
        "'\"within\":0.5', '\"within\":0.4')",
        "what was declared in run 1",
        "study bad (profile default)",
    ),
}


@pytest.mark.parametrize("flipped", FLIPPED)
def test_a_flipped_digit_is_said_and_trained_again_when_asked_for(furnished, finished, flipped):
    statement, *parts = FLIPPED[flipped]
    assert furnished.garble(statement) == 1
    shutil.rmtree(furnished.reports)
    for command in ("report", "claims"):
        said = furnished.say(command, "bad") if command == "report" else furnished.say(command)
        assert all(part in said for part in (*parts, "is damaged", "--retrain-damaged")), said
    status, verdicts = furnished.verdicts("--retrain-damaged")
    assert status == 0
    assert verdicts == House(finished, furnished._capsys).verdicts()[1]
    assert furnished.outcomes() == House(finished, None).outcomes()
    lost = [row for row in furnished.rows("SELECT cause FROM attempts") if "damaged" in row[0]]
    kept = furnished.rows("SELECT record FROM damaged")
    assert len(lost) == len(kept) == (1 if parts[0].startswith("the record") else 0)
    assert furnished.run() == (0, "")


def test_damage_of_one_study_is_no_matter_to_another(furnished, tmp_path):
    other = House(tmp_path / "other", furnished._capsys, name="other", width="9")
    other.results = furnished.results
    assert other.run()[0] == 0
    furnished.garble(FLIPPED["a metric"][0])
    store = open_store(furnished.results)
    (judged,) = Results(store).judged({"other"})
    assert judged.verdicts[0].verdict == "supported"
    store.close()


def test_a_damaged_note_of_a_page_is_not_repeated(furnished):
    """A run with nothing to do says the verdicts that were kept with the page."""
    before = furnished.verdicts()
    furnished.garble("UPDATE pages SET outcomes = replace(outcomes, 'supported', 'refuted')")
    assert furnished.verdicts() == before


def test_a_database_without_checksums_is_read_and_gets_them(furnished, finished):
    connection = sqlite3.connect(furnished.database)
    for table in COVERED:
        connection.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    assert furnished.outcomes() == House(finished, None).outcomes()
    assert furnished.run() == (0, "")
    assert furnished.garble(FLIPPED["a metric"][0]) == 1
    shutil.rmtree(furnished.reports)
    assert "the record of the trial" in furnished.run("--set", "seeds=5")[1]


def test_damaged_weights_are_named_and_trained_anew(furnished, finished):
    with sqlite3.connect(furnished.database) as connection:
        (data,) = connection.execute("SELECT data FROM weights").fetchone()
        middle = len(data) // 2
        spoilt = data[:middle] + bytes(byte ^ 0xFF for byte in data[middle:])
        connection.execute("UPDATE weights SET data = ?", (spoilt,))
        connection.execute(f"DELETE FROM records WHERE phase = '{Phase.CONFIRMATION}'")
    connection.close()
    status, said = furnished.run()
    assert status == 2
    assert f"in '{furnished.database}' were damaged" in said
    assert "run again to train them anew" in said
    assert furnished.run() == (0, "")
    assert furnished.outcomes() == House(finished, None).outcomes()


def test_a_damaged_published_file_stops_a_run_before_it_begins(furnished):
    file = furnished.results / "published" / "bad.default.json.gz"
    file.parent.mkdir()
    file.write_bytes(b"\x1f\x8b not at all")
    shutil.rmtree(furnished.reports)
    status, said = furnished.run("--set", "seeds=6")
    assert status == 2
    assert f"'{file}' cannot be unpacked" in said
    assert len(furnished.records()) == TRIALS


def test_two_conductors_on_one_folder(furnished):
    """The second one goes away and says who is there; the lock ends with its holder, however."""
    code = (
        "import sys, time; from pathlib import Path; from harness.store import conductor_lock\n"
        f"with conductor_lock(Path({str(furnished.results)!r})):\n"
        "    print('held', flush=True); time.sleep(600)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        status, said = furnished.run()
        assert status == 2
        assert f"another run is writing to '{furnished.results}' (process {holder.pid})" in said
        assert "choose another --results" in said
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    assert furnished.run() == (0, "")


def test_the_lock_is_not_handed_on_to_processes_that_a_conductor_starts(tmp_path):
    """A mirror or a worker that outlives a killed conductor must not keep the next one out."""
    code = (
        "import os, subprocess, sys; from pathlib import Path\n"
        "from harness.store import conductor_lock\n"
        f"with conductor_lock(Path({str(tmp_path)!r})):\n"
        "    child = subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL)\n"
        "    print(child.pid, flush=True); os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=False)
    assert ended.returncode == -signal.SIGKILL
    child = psutil.Process(int(ended.stdout))
    try:
        with conductor_lock(tmp_path):
            assert child.is_running()
    finally:
        child.kill()
