"""Files for papers and other tools, from one small finished study."""

import csv
import io
import re
import shutil
import subprocess
from dataclasses import replace

import pandas as pd
import pytest

from harness.figures import draw
from harness.report import export
from harness.report.blocks import Cell, Table
from harness.report.export import _csv
from harness.report.latex import escape_latex, latex_table
from harness.report.methods import Methods
from harness.study.running import SequentialSeeds


def written_to(folder, finished):
    """Export the study with two figures, one of them in parts; all are tested in tests/figures."""
    names = ("effects", "learning_curves")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "harness.report.view.draw", lambda name, *of: draw(name, *of) if name in names else []
        )
        (written,) = export([finished.profiles["default"]], folder)
    assert written == folder / "odd-words" / "default"
    return written


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    return written_to(tmp_path_factory.mktemp("exported"), finished)


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
        "claims", "verdicts", "leaderboard", "arms", "examples", "single-examples", "probes",
        "costs", "costs-by-arm", "failures", "checks",
    }  # fmt: skip
    for file in (exported / "tables").iterdir():
        text = file.read_text()
        named = re.search(r"tabular}{(.*)}\n", text).group(1)
        columns = len(re.findall("[lrp]", re.sub(r">{.*?}(?=p)|(?<=p){.*?}|@{}", "", named)))
        rows = [line for line in text.splitlines() if line.endswith(r" \\")]
        assert len(rows) >= 2
        for row in rows:
            assert len(re.findall(r"(?<!\\)&", row)) == columns - 1
        for command in ("toprule", "midrule", "bottomrule", r"end{table}"):
            assert f"\\{command}" in text
        assert "<script" not in text


def test_the_same_results_give_the_same_files(exported, finished, tmp_path):
    assert contents(written_to(tmp_path, finished)) == contents(exported)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 % & a_b", r"50 \% \& a\_b"),
        ("−0.5 ± 2×10⁻³", r"$-$0.5 $\pm$ 2$\times$10$^{-3}$"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("✓ fine ☃", r"$\surd$ fine [U+2603]"),
        ("größer, 幅", "größer, 幅"),
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


def test_the_methods_are_a_paragraph_with_the_numbers_filled_in(exported, finished):
    text = (exported / "methods.txt").read_text()
    study, rows = finished.evidence.plan.study, finished.evidence.trials
    assert text.count("\n") == 1
    assert f"“{study.question}”" in text
    assert f"We declared {len(study.claims)} claims with their margins" in text
    assert f"trained afresh on {study.most_seeds} seeds" in text
    assert f"error rate of {study.alpha:g} for {len(study.claims)} claims together" in text
    assert f"Of {rows['trial_id'].nunique():,} trials, " in text
    assert f"{len(finished.evidence.plan.arms)} arms" in text
    assert finished.evidence.execution.plan_hash in text
    assert "Trials ran on CPU" in text
    for empty in ("None", "nan", "{", "}", "  ", " ;", " ,", "()"):
        assert empty not in text


def test_what_the_methods_cite_is_in_the_references(exported):
    paragraph = (exported / "methods.tex").read_text()
    entries = re.findall(r"^@\w+{(.*),$", (exported / "references.bib").read_text(), re.MULTILINE)
    cited = re.findall(r"\\cite{(.*?)}", paragraph)
    assert set(cited) == set(entries)
    assert {"harness", "odd-words-default", "akiba2019optuna"} <= set(cited)
    assert "@@" not in paragraph


def test_claims_that_came_late_are_said_to_be_exploratory(finished):
    late = replace(finished.verdicts[0], exploratory="It was written late.")
    text = Methods(finished.evidence, [late, *finished.verdicts[1:]]).paragraph()
    assert "1 of them was written or changed after evidence had been seen" in text
    assert "none was changed" not in text


def test_looks_and_repeated_searches_are_told_with_their_sources(finished):
    evidence = finished.evidence
    search = evidence.plan.study.search.model_copy(update={"repeats": 5})
    looks = {"seeds": SequentialSeeds(start=6, step=2, max=10), "search": search}
    study = evidence.plan.study.model_copy(update=looks)
    methods = Methods(
        replace(evidence, plan=replace(evidence.plan, study=study)), finished.verdicts
    )
    assert "judged at 6, 8 and 10 seeds" in methods.paragraph()
    assert "The search was repeated" in methods.latex()
    assert {"lan1983discrete", "bouthillier2021variance"} <= set(
        re.findall(r"@\w+{(.*),", methods.bibtex())
    )


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_latex_takes_all_of_it_and_no_table_is_wider_than_its_column(exported, tmp_path):
    folder = tmp_path / "paper"
    shutil.copytree(exported, folder)
    narrow = (folder / "paper.tex").read_text().replace("{article}", "[twocolumn]{article}", 1)
    (folder / "narrow.tex").write_text(narrow)
    for command in (
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "narrow"],
        ["bibtex", "narrow"],
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "narrow"],
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "narrow"],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-3000:]
    log = (folder / "narrow.log").read_text(errors="replace")
    tables = [line for line in log.splitlines() if "Overfull" in line and "alignment" in line]
    assert tables == []
    assert "undefined" not in log
    assert (folder / "narrow.pdf").read_bytes().startswith(b"%PDF")


def test_progress_is_told(finished, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.report.view.draw", lambda *_: [])
    told = []
    export([finished.profiles["default"]], tmp_path, told.append)
    assert told == ["methods and tables", "trials, curves and verdicts"]
