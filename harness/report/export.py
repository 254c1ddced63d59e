"""Files for a paper and for other tools: LaTeX tables, PDF figures, tidy data."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from harness.evidence import Evidence
from harness.judged import Verdict
from harness.report.blocks import Table, flat
from harness.report.build import write, write_all
from harness.report.figure_data import no_formula
from harness.report.latex import claims_table, latex_table
from harness.report.methods import Methods
from harness.report.view import ProfileResult, ProfileView, views_of


def export(
    results: Sequence[ProfileResult], folder: Path, tell: Callable[[str], None] = lambda _: None
) -> list[Path]:
    """Write what papers and other tools need of these results; the same results, the same bytes.

    Each profile gets `<study>/<profile>/` with `methods.tex` and `methods.txt` (the paragraph with
    its numbers filled in), `references.bib`, `tables/*.tex` (booktabs; none is wider than its
    column), `figures/*.pdf` (one for each panel), `paper.tex`, which holds all of these, and the
    tidy evidence as CSV and Parquet: `trials` (a row per trial, its states, settings, metrics and
    costs), `curves` (a row per confirmation trial and epoch) and `verdicts`.

    Args:
        results: of the profiles.
        folder: that gets a folder of each study.
        tell: is given what is written next, in a few words.

    Returns:
        The folder of each profile.
    """
    folders = []
    for result in results:
        (view,) = views_of([result])
        target = folder / result.study / result.profile
        target.mkdir(parents=True, exist_ok=True)
        tell("methods and tables")
        _write_methods(view, target)
        write_all(target / "tables", _tables(view), "*.tex")
        write_all(target / "figures", _figures(view, tell), "*.pdf")
        write(target / "paper.tex", _paper(target).encode())
        tell("trials, curves and verdicts")
        for name, make in _frames(view).items():
            for suffix, encode in (("csv", _csv), ("parquet", _parquet)):
                file = f"{name}.{suffix}"
                content = result.attempt(f"the file {file}", partial(_encoded, make, encode), b"")
                if content:
                    write(target / file, content)
        folders.append(target)
    return folders


def _write_methods(view: ProfileView, target: Path) -> None:
    """Write the paragraph for a paper, and what it cites."""
    methods = Methods(view.evidence, view.result.verdicts)
    for file, make in (
        ("methods.txt", lambda: methods.paragraph() + "\n"),
        ("methods.tex", methods.latex),
        ("references.bib", methods.bibtex),
    ):
        made = view.part(f"the file {file}", make)
        if made:
            write(target / file, made.encode())


def _paper(target: Path) -> str:
    """Return a document with all that was exported: to look at, and to take parts from."""
    tables = [
        f"\\input{{tables/{file.stem}}}" for file in sorted((target / "tables").glob("*.tex"))
    ]
    figures = [
        f"\\includegraphics[width=\\linewidth]{{figures/{file.stem}}}\n"
        for file in sorted((target / "figures").glob("*.pdf"))
    ]
    body = "\n\\clearpage\n".join(["\\input{methods}", *tables, *figures])
    return (
        "\\documentclass{article}\n\\usepackage[utf8]{inputenc}\n\\usepackage{array,booktabs,graphicx}\n\\begin{document}\n"
        f"{body}\n\\bibliographystyle{{plain}}\n\\bibliography{{references}}\n\\end{{document}}\n"
    )


def _tables(view: ProfileView) -> Iterator[tuple[str, bytes]]:
    if view.result.verdicts:
        caption = f"{view.evidence.plan.study.question} Claims of the study, effects and verdicts."
        label = f"tab:{view.result.study}-{view.name}-claims"
        made = view.part(
            "the LaTeX table claims", claims_table, view.result.verdicts, caption, label
        )
        if made:
            yield "claims.tex", made.encode()
    every = [block for section in view.sections for block in flat(section.blocks)]
    for table in (block for block in every if isinstance(block, Table) and block.name):
        label = f"tab:{view.result.study}-{view.name}-{table.name}"
        made = view.part(f"the LaTeX table {table.name}", latex_table, table, label)
        if made:
            yield f"{table.name}.tex", made.encode()


def _figures(view: ProfileView, tell: Callable[[str], None]) -> Iterator[tuple[str, bytes]]:
    for picture in view.pictures:
        tell(f"figure {picture.name}")
        pages = view.encoded(picture, picture.pdfs) or []
        for index, content in enumerate(pages, 1):
            yield f"{picture.name}{f'-{index}' if len(pages) > 1 else ''}.pdf", content


def _frames(view: ProfileView) -> dict[str, Callable[[], pd.DataFrame]]:
    return {
        "trials": lambda: tidy_trials(view.evidence),
        "curves": lambda: view.evidence.curves,
        "verdicts": lambda: tidy_verdicts(view.result.verdicts),
    }


def _encoded(make: Callable[[], pd.DataFrame], encode: Callable[[pd.DataFrame], bytes]) -> bytes:
    return encode(make())


def _csv(frame: pd.DataFrame) -> bytes:
    """Return a frame as CSV in which a spreadsheet finds no formulas, whatever names hold."""
    plain = frame.rename(columns=no_formula)
    for name in plain:
        if not is_numeric_dtype(plain[name]):
            plain[name] = plain[name].map(no_formula, na_action="ignore")
    return plain.to_csv(index=False, lineterminator="\n").encode()


def tidy_trials(evidence: Evidence) -> pd.DataFrame:
    """Return a row per trial, with the study and profile it belongs to; each column of one type."""
    frame = evidence.trials.copy()
    for column in frame:
        kinds = {type(value) for value in frame[column].dropna()}
        if len(kinds) > 1 and not kinds <= {int, float}:  # such as levels "none" and 0.5
            frame[column] = [str(v) if pd.notna(v) else None for v in frame[column]]
    execution = evidence.execution
    frame.insert(0, "study", execution.study)
    frame.insert(1, "profile", execution.profile)
    return frame


def tidy_verdicts(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Return a row per claim; lists are texts, scope and parts are JSON."""
    rows = []
    for verdict in verdicts:
        row = verdict.to_dict()
        row["source"] = "; ".join(verdict.source)
        row["trials"] = " ".join(verdict.trials)
        row["scope"] = json.dumps(row["scope"])
        row["parts"] = json.dumps(row["parts"])
        rows.append(row)
    return pd.DataFrame(rows)


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()
