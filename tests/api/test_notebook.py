"""A notebook, in a real kernel: what it shows of a study is readable, in 80 columns too."""

import html
import re

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = [
    """
from pathlib import Path

import harness.run.mirroring
from harness import api
from harness.cli import display
from harness.run.observer import Observer

harness.run.mirroring.MirrorObserver = lambda *_: Observer()  # MLflow has tests of its own
display.SECONDS_BETWEEN_LINES = 0.0  # a line of progress for every trial
study = {
    "study": "widths",
    "question": "Is wider better?",
    "workload": {"data": "digits", "model": {"name": "mlp", "depth": 1}, "epochs": 4},
    "factors": {"width": {"path": "model.width", "levels": [2, 32]}},
    "simple_baseline": "none",
    "seeds": 5,
    "claims": [
        {
            "id": "wider",
            "says": "Thirty-two units beat two of them, in a sentence that fills a line by itself",
            "metric": "test.accuracy",
            "contrast": {"width": [32, 2]},
            "greater_by": 0.05,
        }
    ],
}
""",
    "api.plan(study)",
    "done = api.run(study, in_process=True, observers=[display.Display(Path('results'))])",
    "done",
    "done.claims[['id', 'verdict', 'effect', 'ci_low', 'ci_high', 'seeds']]",
    "%env JUPYTER_COLUMNS=80",
    "again = api.run(study, in_process=True, observers=[display.Display(Path('results'))])",
]
COLOUR = re.compile(r"\x1b\[[\d;]*m")
CONTROL = re.compile(r"\x1b(?!\[[\d;]*m)|\r|\x08")
"""All but colours, which notebooks know as well."""
PATHS = ("report: ", "browse: ")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What each cell shows: a list of plain texts, and one of pages."""
    folder = tmp_path_factory.mktemp("notebook")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(book, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    assert (folder / "reports" / "widths" / "index.html").is_file()
    return [(plain(cell.outputs), pages(cell.outputs)) for cell in book.cells]


def plain(outputs):
    texts = [out.text for out in outputs if out.output_type == "stream"]
    return "\n".join(texts + [out.data["text/plain"] for out in outputs if "data" in out])


def pages(outputs):
    return [out.data["text/html"] for out in outputs if "text/html" in out.get("data", {})]


def text_of(page):
    return html.unescape(re.sub("<[^>]+>", "", page))


def test_a_plan_a_result_and_its_claims_are_tables(shown):
    planned, result, claims = shown[1][1][0], shown[3][1][0], shown[4][1][0]
    assert "10 trials to run" in text_of(planned)
    assert "Thirty-two units beat two" in text_of(result)
    assert "supported" in text_of(result)
    assert "wider" in text_of(claims)
    assert all("<table" in page for page in (planned, claims))


def test_progress_and_verdicts_are_lines_without_control_codes(shown):
    told, pictures = shown[2]
    assert not CONTROL.search(told)
    said = told + "".join(map(text_of, pictures))
    assert "Is wider better?" in said
    assert re.search(r"confirmation \d+/10", said)
    assert "10 trials ran, 0 were reused" in said
    assert "effect [interval]" in said
    assert "1 claim: 1 supported" in said
    assert "reports/widths/index.html" in said


def test_80_columns_are_enough(shown):
    told, pictures = shown[6]
    assert not CONTROL.search(told)
    seen = [COLOUR.sub("", told), *map(text_of, pictures)]
    lines = [line for page in seen for line in page.splitlines()]
    assert any("0 trials ran, 10 were reused" in line for line in lines)
    wide = [line for line in lines if len(line) > 80 and not line.startswith(PATHS)]
    assert wide == []
