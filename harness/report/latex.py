"""Tables of a report as LaTeX, with booktabs."""

from __future__ import annotations

import re

from harness.report.blocks import Table

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"$<$", ">": r"$>$", "|": r"$|$", "−": "$-$", "–": "--", "±": r"$\pm$", "×": r"$\times$",
    "÷": r"$\div$", "→": r"$\to$", "≤": r"$\leq$", "≥": r"$\geq$", "µ": r"$\mu$", "\u00a0": "~",
    "“": "``", "”": "''", "…": r"\dots{}", "α": r"$\alpha$", "ρ": r"$\rho$",
}  # fmt: skip
_SUPERSCRIPTS = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
_POWER = re.compile(f"[{_SUPERSCRIPTS}]+")
_LONG = 28
"""A column with longer texts than this gets a width and is broken into lines."""


def escape_latex(text: str) -> str:
    """Make any text safe in a table of LaTeX."""
    powers = str.maketrans(_SUPERSCRIPTS, "-0123456789")
    parts = _POWER.split(text)
    found = [f"$^{{{power.translate(powers)}}}$" for power in _POWER.findall(text)] + [""]
    plain = ["".join(_SPECIAL.get(letter, letter) for letter in part) for part in parts]
    return "".join(a + b for a, b in zip(plain, found, strict=True))


def latex_table(table: Table, label: str) -> str:
    """Return a floating table with caption and label; it needs the package booktabs."""
    rows = [[escape_latex(cell.text) for cell in row] for row in table.rows]
    notes = " ".join(filter(None, [table.note, *map(_sentence, table.reasons)]))
    body = "\n".join(" & ".join(row) + r" \\" for row in rows)
    head = " & ".join(escape_latex(column) for column in table.columns)
    note = f"\n\\par\\smallskip\\footnotesize {escape_latex(notes)}" if notes else ""
    return (
        f"\\begin{{table}}\n\\caption{{{escape_latex(table.caption)}}}\n\\label{{{label}}}\n"
        f"\\centering\\small\n\\begin{{tabular}}{{{_columns(table)}}}\n\\toprule\n{head} \\\\\n"
        f"\\midrule\n{body}\n\\bottomrule\n\\end{{tabular}}{note}\n\\end{{table}}\n"
    )


def _sentence(reason: str) -> str:
    return f"–: {reason}."


def _columns(table: Table) -> str:
    kinds = []
    for index, _ in enumerate(table.columns):
        column = [row[index] for row in table.rows]
        if any(len(cell.text) > _LONG for cell in column) and not any(c.numeric for c in column):
            kinds.append(r"p{0.34\linewidth}")
        else:
            kinds.append("r" if column and all(cell.numeric for cell in column) else "l")
    return "".join(kinds)
