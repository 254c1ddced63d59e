"""Every command and snippet of the README and the documentation is carried out.

A page's blocks run in order in one folder. YAML that starts with `study:` becomes
`studies/<study>.yaml` and must be sound; other YAML is a part of a study and is checked as such.
Python whose first line is `# name.py` becomes that file, any other runs; commands run as `harness`
or `python` do, `run` with little training. Other languages are pictures of output. What cannot run
here is marked before the block or, for a whole page, before its title: `<!-- not run: reason -->`,
or `<!-- run instead: command -->`.
"""

import glob
import json
import re
import shlex
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.cli.app import run
from harness.study import load_study
from harness.study.claims import SingleClaim
from harness.study.document import parse_document
from harness.study.model import Study
from harness.study.workload import Workload

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
BLOCK = re.compile(
    r"(?:<!-- (not run|run instead): ([^\n]+) -->\n+)?^```(\w*)\n(.*?)^```", re.M | re.S
)
LITTLE = ["--in-process", "--set", "search=null", "--set", "workload.epochs=1", "--set", "seeds=6"]
RUNNABLE = {"bash", "yaml", "python"}


@dataclass
class Block:
    language: str
    text: str
    mark: str
    reason: str


def blocks(page):
    text = page.read_text()
    if re.match(r"<!-- not run: [^\n]+ -->", text):
        return []
    found = [Block(language, body, mark, reason)
             for mark, reason, language, body in BLOCK.findall(text)]  # fmt: skip
    return [block for block in found if block.language in RUNNABLE and block.mark != "not run"]


def commands(text):
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield [name for word in words for name in sorted(glob.glob(word)) or [word]]


def carry_out(block, names):
    if block.mark == "run instead" or block.language == "bash":
        for words in commands(block.reason if block.mark else block.text):
            if words[0] == "python":
                subprocess.run([sys.executable, *words[1:]], check=True)
                continue
            assert Path(words[0]).name == "harness", f"{words}: mark it, or let a test run it"
            more = LITTLE if words[1] == "run" else []
            assert run([*words[1:], *more]) == 0, words
    elif block.language == "yaml" and re.search(r"^study: ", block.text, re.M):
        name = re.search(r"^study: ([\w-]+)", block.text, re.M).group(1)
        file = Path("studies") / f"{name}.yaml"
        file.unlink(missing_ok=True)
        file.write_text(block.text)
        load_study(file)
    elif block.language == "python":
        first = re.match(r"# (\w+\.py)\n", block.text)
        if first and not first.group(1).startswith("test_"):
            Path(first.group(1)).write_text(block.text)
        else:
            exec(compile(block.text, "snippet", "exec"), names)


@pytest.mark.usefixtures("unmirrored", "undrawn")
@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda page: page.name)
def test_what_a_page_shows_works(page, tmp_path, monkeypatch, capsys):
    published = ROOT.glob("results/published/dropout.quick.*")
    for file in [*(ROOT / "studies").iterdir(), *published]:
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    names = {"__name__": page.stem}
    for block in blocks(page):
        carry_out(block, names)
    assert "Traceback" not in capsys.readouterr().err


def parts(page):
    """Return the YAML of a page that is a part of a study file, with its place; marks or not."""
    text = page.read_text()
    for found in re.finditer(r"^```yaml\n(.*?)^```", text, re.M | re.S):
        if not re.search("^(study|suite): ", found.group(1), re.M):
            yield f"{page.name}:{text.count(chr(10), 0, found.start()) + 1}", found.group(1)


def mistakes(part):
    """Return what is wrong in a part of a study, or of what stands in one; not what is left out."""
    given = parse_document(textwrap.dedent(part), "part").data
    kind = next((kind for kind in (Study, Workload, SingleClaim)
                 if given.keys() <= kind.model_fields.keys()), Study)  # fmt: skip
    try:
        kind.model_validate_json(json.dumps(given), strict=True)
    except ValidationError as error:
        return [e for e in error.errors() if e["type"] != "missing" or len(e["loc"]) > 1]
    return []


PARTS = [pytest.param(part, id=place) for page in PAGES for place, part in parts(page)]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_a_study_that_a_page_shows_is_right(part):
    assert mistakes(part) == []


@pytest.mark.parametrize(
    "part",
    [
        "faults: {retrys: 2}",
        "seeds: many",
        "workload: {training: {name: no function}}",
        "probes: [{name: grad_cam, no: 1}]",
        "  discussion: 3",
        "claimz: []",
    ],
)
def test_a_mistake_in_a_part_is_noticed(part):
    assert mistakes(part)


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
