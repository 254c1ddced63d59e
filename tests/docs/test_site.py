"""The site is built, with reference pages that know every command and every key; completion."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from harness.cli.app import app
from harness.registry import KINDS
from harness.study.model import Study

MKDOCS = Path(sys.executable).with_name("mkdocs")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [MKDOCS, "build", "--site-dir", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING -  " not in done.stderr
    return folder


def test_the_reference_knows_every_command(site):
    page = (site / "reference" / "commands" / "index.html").read_text()
    for name in typer.main.get_command(app).commands:
        assert f"harness {name}" in page


def test_the_reference_knows_every_key_and_every_name(site):
    page = (site / "reference" / "study-file" / "index.html").read_text()
    named = [kind.listed() for kind in KINDS.values()]
    for name in [*Study.model_fields, *(name for kind in named for name in kind)]:
        assert f"<code>{name}</code>" in page, name


def test_the_site_asks_nothing_of_others(site):
    page = (site / "tutorial" / "index.html").read_text()
    assert "fonts.googleapis" not in page


@pytest.mark.parametrize(("typed", "completed"), [("harness va", "validate"), ("harness r", "run")])
def test_a_shell_completes_commands(typed, completed):
    harness = Path(sys.executable).with_name("harness")
    asked = {"_HARNESS_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": "1"}
    done = subprocess.run([harness], env=os.environ | asked, capture_output=True, text=True,
                          check=True)  # fmt: skip
    assert completed in done.stdout.split()
