"""Answers to claims as cards: lines of a terminal, Markdown, a picture."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import typer

from harness.errors import InputError, nearest

if TYPE_CHECKING:
    from harness.report import ProfileResult


def print_cards(
    judged: Sequence[ProfileResult], claim: str | None, picture: Path | None, *, markdown: bool
) -> None:
    """Print the card of every claim, or of one; a picture is that of the profile that comes first.

    Raises:
        InputError: if there is no such claim, or its picture cannot be written.
    """
    from harness.report.claims import ClaimInProfile, card_of
    from harness.report.view import views_of

    if picture is not None and claim is None:
        raise InputError("--png goes with --claim: a picture is of one claim")
    studies = dict.fromkeys(result.study for result in judged)
    views = [v for s in studies for v in views_of([r for r in judged if r.study == s])]
    found = [ClaimInProfile(view, answer, ()) for view in views for answer in view.answers]
    names = list(dict.fromkeys(one.answer.row.id for one in found))
    mine = [one for one in found if claim in (None, one.answer.row.id)]
    if not mine and claim is not None:
        raise InputError(f"there is no claim '{claim}' in these results{nearest(claim, names)}")
    if picture is not None:
        if len({one.answer.row.study for one in mine}) > 1:
            raise InputError(f"several studies have a claim '{claim}': name the study, too")
        try:
            picture.write_bytes(card_of(mine[0]).png())
        except OSError as error:
            raise InputError(f"--png: '{picture}' cannot be written: {error.strerror}") from None
    for one in mine:
        card = card_of(one)
        typer.echo(card.markdown() if markdown else "\n".join(_folded(card.lines())) + "\n")


def _folded(lines: Sequence[str]) -> list[str]:
    width = max(get_terminal_size().columns, 40)
    folded = []
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()))
        folded += textwrap.wrap(
            line.lstrip(), width, initial_indent=indent, subsequent_indent=f"{indent}  ",
            break_long_words=False,
        )  # fmt: skip
    return folded
