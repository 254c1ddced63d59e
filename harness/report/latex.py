"""Tables of a report as LaTeX, with booktabs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.formatting import plural, with_interval
from harness.judged import Verdict
from harness.report.blocks import Table

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"$<$", ">": r"$>$", "|": r"$|$", "−": "$-$", "–": "--", "±": r"$\pm$", "×": r"$\times$",
    "÷": r"$\div$", "→": r"$\to$", "≤": r"$\leq$", "≥": r"$\geq$", "µ": r"$\mu$", "\u00a0": "~",
    "“": "``", "”": "''", "…": r"\dots{}", "α": r"$\alpha$", "ρ": r"$\rho$",
    "✓": r"$\surd$", "✗": r"$\times$", "⚠": "!", "·": r"$\cdot$", "∞": r"$\infty$",
}  # fmt: skip
_SUPERSCRIPTS = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
_POWER = re.compile(f"[{_SUPERSCRIPTS}]+")
_LATIN = 0xFF
_RAGGED = r">{\raggedright\arraybackslash}"
_FIT = "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n"
_LONG = 28
"""A column with longer texts than this gets a width and is broken into lines."""


def escape_latex(text: str) -> str:
    """Make any text safe in a table of LaTeX."""
    powers = str.maketrans(_SUPERSCRIPTS, "-0123456789")
    parts = _POWER.split(text)
    found = [f"$^{{{power.translate(powers)}}}$" for power in _POWER.findall(text)] + [""]
    plain = ["".join(map(_letter, part)) for part in parts]
    return "".join(a + b for a, b in zip(plain, found, strict=True))


def _letter(letter: str) -> str:
    """Return a letter of any script as it is, a sign that LaTeX may lack by its number."""
    if letter.isascii() or letter.isalpha() or letter in _SPECIAL:
        return _SPECIAL.get(letter, letter)
    return f"[U+{ord(letter):04X}]" if ord(letter) > _LATIN else letter


def latex_table(table: Table, label: str) -> str:
    """Return a floating table with caption and label; it needs array, booktabs, graphicx.

    One that is wider than its column is made smaller as a whole.
    """
    rows = [[escape_latex(cell.text) for cell in row] for row in table.rows]
    notes = " ".join(filter(None, [table.note, *map(_sentence, table.reasons)]))
    body = "\n".join(" & ".join(row) + r" \\" for row in rows)
    head = " & ".join(escape_latex(column) for column in table.columns)
    note = f"\n\\par\\smallskip\\footnotesize {escape_latex(notes)}" if notes else ""
    return (
        f"\\begin{{table}}\n\\caption{{{escape_latex(table.caption)}}}\n\\label{{{label}}}\n"
        f"\\centering\\small\n{_FIT}\\begin{{tabular}}{{{_columns(table)}}}\n\\toprule\n"
        f"{head} \\\\\n\\midrule\n{body}\n\\bottomrule\n\\end{{tabular}}}}{note}\n\\end{{table}}\n"
    )


def _sentence(reason: str) -> str:
    return f"–: {reason}."


def _columns(table: Table) -> str:
    kinds = []
    for index, _ in enumerate(table.columns):
        column = [row[index] for row in table.rows]
        if any(len(cell.text) > _LONG for cell in column) and not any(c.numeric for c in column):
            kinds.append(_RAGGED + r"p{0.34\linewidth}")
        else:
            kinds.append("r" if column and all(cell.numeric for cell in column) else "l")
    return "".join(kinds)


def claims_table(verdicts: Sequence[Verdict], caption: str, label: str) -> str:
    """Return a floating table of claims, effects and verdicts whose lines break to fit a column."""
    rows = [
        " & ".join(
            map(escape_latex, (v.says, _numbers(v), v.words + (f" ({v.flag})" if v.flag else "")))
        )
        for v in verdicts
    ]
    body = " \\\\\n\\addlinespace\n".join(rows)
    widths = "".join(f"{_RAGGED}p{{{share}\\linewidth}}" for share in (0.38, 0.3, 0.2))
    return (
        f"\\begin{{table}}\n\\caption{{{escape_latex(caption)}}}\n\\label{{{label}}}\n\\centering"
        f"\\footnotesize\n\\begin{{tabular}}{{@{{}}{widths}@{{}}}}\n\\toprule\n"
        "Claim & Effect [interval] & Verdict \\\\\n\\midrule\n"
        f"{body} \\\\\n\\bottomrule\n\\end{{tabular}}\n\\end{{table}}\n"
    )


def _numbers(verdict: Verdict) -> str:
    effect = with_interval(verdict.effect, verdict.ci_low, verdict.ci_high)
    return (
        f"{effect}, {plural(verdict.seeds, verdict.unit)}"
        if verdict.effect is not None
        else verdict.reason
    )
