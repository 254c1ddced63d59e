"""The answer to one claim to be shown elsewhere: a picture, Markdown, lines of a terminal."""

from __future__ import annotations

from dataclasses import dataclass

from harness.figures._answer_card import CardTexts, card_png
from harness.figures.common_axis import on_one_axis
from harness.formatting import capitalized
from harness.judged import Verdict
from harness.report.answers import Answer
from harness.report.render import escape_markdown
from harness.report.verdicts import SYMBOLS

_CELLS, _REACH = 41, 4.0
"""Letters of the strip in a terminal, and half-widths from its middle to either end."""
_MARKS = {"supported": "●", "refuted": "✗", "inconclusive": "◇", "incomplete": "…"}


@dataclass(frozen=True)
class AnswerCard:
    """What a card says: the claim, its verdict, number, certainty and scale."""

    answer: Answer
    question: str

    @property
    def _scope(self) -> str:
        words = self.answer.row.scope.words
        return f"At {words}." if words else ""

    @property
    def _certainty(self) -> str:
        row, said = self.answer.row, self.answer.certainty
        claimed = f"Claimed: {row.expected}."
        return f"{said}. {claimed}" if said else claimed

    def png(self) -> bytes:
        """Draw it as a PNG of 1200 by 630 pixels, the size that other sites show of a link."""
        row, answer = self.answer.row, self.answer
        flag = f" ({row.flag})" if row.flag else ""
        above = f"{row.study}, profile {row.profile}: {self.question}"
        texts = CardTexts(above, row.says, answer.sentence + flag, self._certainty, self._scope)
        return card_png(row, texts)

    def markdown(self, picture: str = "") -> str:
        """Write it as a quotation in Markdown, with its picture if there is an address of one."""
        row, answer = self.answer.row, self.answer
        lines = [
            f"**{SYMBOLS[row.verdict]} {capitalized(row.words)}:** {escape_markdown(row.says)}",
            escape_markdown(answer.sentence) + (f" **({row.flag})**" if row.flag else ""),
            escape_markdown(f"{self._certainty} {self._scope}".strip()),
            escape_markdown(f"Study {row.study}, claim {row.id}, profile {row.profile}."),
        ]
        if picture:
            lines.append(f"![{escape_markdown(answer.sentence)}]({picture})")
        return "\n>\n".join(f"> {line}" for line in lines) + "\n"

    def lines(self) -> list[str]:
        """Write it for a terminal, with the effect as a strip of letters."""
        row, answer = self.answer.row, self.answer
        drawn = strip_of_letters(row)
        flag = f"  ({row.flag})" if row.flag else ""
        return [
            f"{SYMBOLS[row.verdict]} {row.words}: {row.says}{flag}",
            f"  {answer.sentence}",
            *([f"  {drawn}"] if drawn else []),
            f"  {self._certainty}",
            *([f"  {self._scope}"] if self._scope else []),
            f"  {row.study} ({row.profile}), {row.id}",
        ]


def strip_of_letters(row: Verdict) -> str:
    """Draw an effect on the axis that all claims share: "····┆░░░━━●━━░░"; empty without one.

    ┆ is the claimed bound, ░ where the claim puts the effect, ━ the interval; what lies farther
    than four half-widths from the bound stands at the edge, after an arrowhead.
    """
    placed = on_one_axis(row)
    if placed.effect is None or placed.ci_low is None or placed.ci_high is None:
        return ""

    def cell(value: float) -> int:
        share = (min(max(value, -_REACH), _REACH) + _REACH) / (2 * _REACH)
        return round(share * (_CELLS - 1))

    letters = ["·"] * _CELLS
    for low, high in placed.claimed:
        for place in range(cell(low), cell(high) + 1):
            letters[place] = "░"
    letters[cell(0.0)] = "┆"
    for place in range(cell(placed.ci_low), cell(placed.ci_high) + 1):
        letters[place] = "━"
    letters[0] = "◂" if placed.ci_low < -_REACH else letters[0]
    letters[-1] = "▸" if placed.ci_high > _REACH else letters[-1]
    letters[min(max(cell(placed.effect), 1), _CELLS - 2)] = _MARKS[row.verdict]
    return "".join(letters)
