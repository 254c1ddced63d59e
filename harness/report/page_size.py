"""A page of a study keeps its size: what does not fit lies in a file beside it."""

from __future__ import annotations

import re
from collections.abc import Callable

MOST_BYTES = 600_000
"""Of the page of a study."""

_FIGURE = re.compile(r'(<figure class="[^"]*">)(.*?)(<figcaption>.*?</figure>)', re.DOTALL)
_FILE = re.compile(r'href="([^"]*\.svg)"')
_WORDS = re.compile(r'role="img" aria-label="([^"]*)"')


def with_pictures_apart(text: str, most: int, finish: Callable[[str], str]) -> str:
    """Finish a page, whose largest pictures are files beside it where it would be too large.

    Args:
        text: the page with all its pictures.
        most: bytes that the finished page may have.
        finish: what is still done with the text.
    """
    done = finish(text)
    largest = sorted(_FIGURE.finditer(text), key=lambda match: len(match[2]), reverse=True)
    for figure in largest:
        if len(done.encode()) <= most:
            break
        file, words = _FILE.search(figure[3]), _WORDS.search(figure[2])
        if file is None or not file[1].startswith("figures/"):
            continue
        picture = (
            f'\n<div class="panels apart scroll" role="region" tabindex="0"'
            f' aria-label="{words[1] if words else "Picture"}">'
            f'<img src="{file[1]}" loading="lazy" alt="{words[1] if words else ""}"></div>\n'
            '<p class="note">This picture is a file beside the page, which would be too large with'
            " it.</p>\n"
        )
        text = text.replace(figure[0], f"{figure[1]}{picture}{figure[3]}", 1)
        done = finish(text)
    return done
