"""What `harness trial` says of a trial, and how long lines end on a terminal."""

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.app import run
from harness.publish import Published
from harness.publish.read import read_file

ROOT = Path(__file__).parents[2]


def test_a_published_trial_is_shown_without_results_of_its_own(capsys):
    files = Published(ROOT / "results" / "published").of({"activations"})
    item = next(item for item in files[0].items if item.phase.value == "confirmation")
    assert run(["trial", item.trial_id, "--results", str(ROOT / "results")]) == 0
    said = capsys.readouterr().out
    assert f"trial {item.trial_id}" in said
    study, profile = files[0].execution.study, files[0].execution.profile
    assert f"{study}, profile {profile}: arm {item.arm}" in said
    assert len(said.splitlines()) < 20
    assert run(["trial", "no-such-trial", "--results", str(ROOT / "results")]) == 2
    assert "no trial 'no-such-trial' is recorded" in capsys.readouterr().err


def test_only_published_files_that_mention_a_trial_are_read(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "published"
    folder.mkdir()
    for name in ("mnist.quick", "activation-cost.quick"):
        shutil.copy(ROOT / "results" / "published" / f"{name}.json.gz", folder)
    files = Published(folder).of()
    wanted = next(file for file in files if file.execution.study == "mnist").items[0].trial_id
    found = Published(folder).mentioning(wanted).of()
    assert [file.execution.study for file in found] == ["mnist"]
    (folder / "broken.quick.json.gz").write_bytes(b"nothing")
    assert [error.file.name for error in Published(folder).mentioning(wanted).errors] == [
        "broken.quick.json.gz"
    ]
    read = []

    def noted(file):
        read.append(file.name)
        return read_file(file)

    monkeypatch.setattr("harness.publish.folder.read_file", noted)
    Published(folder).mentioning(wanted).of()
    assert read == ["mnist.quick.json.gz"]
    assert run(["trial", wanted, "--results", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err


def on_a_terminal(*arguments, columns=80):
    """Run a command on a real terminal of this width; return its lines."""
    ours, theirs = pty.openpty()
    code = "import sys; from harness.cli.app import run; sys.exit(run(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": str(columns)},
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        said += part
    process.wait()
    os.close(ours)
    return said.decode().replace("\r\n", "\n").split("\n")


@pytest.mark.parametrize("arguments", [["list"], ["list", "probes"], ["list", "studies"]])
def test_lists_break_between_words_on_a_terminal(arguments, capsys):
    lines = on_a_terminal(*arguments)
    assert max(map(len, lines)) <= 80
    assert run(arguments) == 0
    whole = capsys.readouterr().out  # not a terminal: every line as it is
    assert " ".join(whole.split()) == " ".join(" ".join(lines).split())
    assert max(map(len, whole.splitlines())) > 80


def test_mistakes_break_between_words_on_a_terminal(tmp_path):
    study = tmp_path / "wrong.yaml"
    study.write_text("study: wrong\nquestion: Why?\nworkloads: {}\n")
    lines = on_a_terminal("validate", str(study))
    words = " ".join(lines).split()
    assert any("workloads" in word for word in words)
    assert all(len(line) <= 80 or " " not in line.strip() for line in lines)
