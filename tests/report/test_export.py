"""Files for papers and other tools, from one small finished study."""

import csv
import io
import re
from dataclasses import replace

import pandas as pd
import pytest

from harness.report import export
from harness.report.blocks import Cell, Table
from harness.report.export import _csv
from harness.report.latex import escape_latex, latex_table


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    (written,) = export([finished.profiles["default"]], folder)
    assert written == folder / "odd-words" / "default"
    return written


def contents(folder):
    return {f.relative_to(folder): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_the_tidy_evidence_is_the_evidence(exported, finished):
    trials = finished.evidence.trials
    table, parquet = (
        pd.read_csv(exported / "trials.csv"), pd.read_parquet(exported / "trials.parquet")
    )  # fmt: skip
    for frame in (table, parquet):
        assert list(frame["trial_id"]) == list(trials["trial_id"])
        assert set(frame["study"]) == {"odd-words"}
        assert frame["test.accuracy"].isna().sum() == trials["test.accuracy"].isna().sum()
        assert frame["test.accuracy"].sum() == pytest.approx(trials["test.accuracy"].sum())
    assert set(parquet["phase"]) == {"search", "confirmation"}
    verdicts = pd.read_csv(exported / "verdicts.csv")
    assert list(verdicts["verdict"]) == [v.verdict for v in finished.verdicts]
    assert verdicts["trials"][0].split() == finished.verdicts[0].trials
    curves = pd.read_parquet(exported / "curves.parquet")
    assert {"arm", "seed", "epoch", "validation.accuracy"} <= set(curves)


def test_columns_of_mixed_kinds_become_text(finished, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.report.view.draw", lambda *_: [])
    evidence = finished.evidence
    trials = evidence.trials.assign(**{"level.depth": ["none", 0.5] * (len(evidence.trials) // 2)})
    result = replace(finished.profiles["default"], evidence=replace(evidence, trials=trials))
    (written,) = export([result], tmp_path)
    assert set(pd.read_parquet(written / "trials.parquet")["level.depth"]) == {"none", "0.5"}
    assert result.left_out == {}


def test_figures_are_pdfs_with_fonts_and_tables_are_whole(exported):
    pdfs = {file.name for file in (exported / "figures").iterdir()}
    assert "effects.pdf" in pdfs
    assert {"learning-curves-1.pdf", "learning-curves-2.pdf"} <= pdfs
    assert (exported / "figures" / "effects.pdf").read_bytes().startswith(b"%PDF")
    names = {file.stem for file in (exported / "tables").iterdir()}
    assert names == {
        "verdicts", "leaderboard", "arms", "examples", "single-examples", "probes", "costs",
        "costs-by-arm", "failures", "checks",
    }  # fmt: skip
    for file in (exported / "tables").iterdir():
        text = file.read_text()
        columns = len(
            re.search(r"tabular}{(.*)}\n", text).group(1).replace(r"p{0.34\linewidth}", "p")
        )
        rows = [line for line in text.splitlines() if line.endswith(r" \\")]
        assert len(rows) >= 2
        for row in rows:
            assert len(re.findall(r"(?<!\\)&", row)) == columns - 1
        for command in ("toprule", "midrule", "bottomrule", r"end{table}"):
            assert f"\\{command}" in text
        assert "<script" not in text


def test_the_same_results_give_the_same_files(exported, finished, tmp_path):
    (again,) = export([finished.profiles["default"]], tmp_path)
    assert contents(again) == contents(exported)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 % & a_b", r"50 \% \& a\_b"),
        ("−0.5 ± 2×10⁻³", r"$-$0.5 $\pm$ 2$\times$10$^{-3}$"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("x² + y^2", r"x$^{2}$ + y\textasciicircum{}2"),
    ],
)
def test_latex_is_escaped(text, expected):
    assert escape_latex(text) == expected


def test_reasons_for_absent_numbers_stand_below():
    table = Table("c", ["a", "b"], [[Cell("x"), Cell("–", True, "it diverged")]])
    text = latex_table(table, "tab:x")
    assert "x & -- " in text
    assert "--: it diverged." in text


def test_no_text_is_a_formula_to_a_spreadsheet():
    """What a spreadsheet would compute is a text there; numbers stay what they are."""
    names = ['=HYPERLINK("http://a")', "+1+1", "-2+3", "@SUM(A1)", "\tx", "plain", "-0.5", None]
    frame = pd.DataFrame({"=name": names, "value": [-1.0, *range(7)]})
    written = list(csv.reader(io.StringIO(_csv(frame).decode())))
    assert written[0] == ["'=name", "value"]
    assert [row[0] for row in written[1:]] == [
        "'=HYPERLINK(\"http://a\")", "'+1+1", "'-2+3", "'@SUM(A1)", "'\tx", "plain", "-0.5", "",
    ]  # fmt: skip
    assert written[1][1] == "-1.0"
