"""`harness card`: from published records as from one's own."""

import shutil
from pathlib import Path

import pytest

from harness.cli.app import run


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    (folder / "published").mkdir()
    shutil.copy(Path("results/published/dropout.quick.json.gz"), folder / "published")
    return folder


def test_a_card_is_written_beside_the_report(results, tmp_path, capsys):
    where = ["--results", str(results), "--out", str(tmp_path)]
    assert run(["card", "studies/dropout.yaml", *where]) == 0
    (text,) = (tmp_path / "dropout").glob("card-quick-*.md")
    assert str(text) in capsys.readouterr().out
    assert text.read_text().startswith("---\n")
    assert text.with_suffix(".html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dropuot"], "there are no results of a study 'dropuot'; did you mean 'dropout'?"),
        (["dropout", "--profile", "quik"], "did you mean 'quick'?"),
        (["dropout", "--arm", "nothing"], "study dropout, profile quick, has no arm 'nothing'"),
    ],
)
def test_what_is_not_there_is_told(results, tmp_path, capsys, arguments, message):
    where = ["--results", str(results), "--out", str(tmp_path)]
    assert run(["card", *arguments, *where]) == 2
    assert message in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
