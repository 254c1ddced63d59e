"""Texts, character by character, cut into windows whose next characters are to be predicted.

Id 0 is not used, id 1 is a character that the vocabulary lacks; then come the commonest characters
of the part that is not for testing.
"""

from __future__ import annotations

import ast
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.data._dataset import Dataset, Examples, Handling, blocks
from harness.data._files import found_at
from harness.data.base import Data, DataMissingError, Fraction, Limit, bundled, missing
from harness.data_spec import Form
from harness.errors import nearest
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNKNOWN = 1
NO_CHARACTER = "\N{REPLACEMENT CHARACTER}"
"""Stands for a character that the vocabulary lacks."""
TEST_FRACTION = 0.1
_LENGTHS = {"python": 465_000, "tinyshakespeare": 1_115_394}  # python's depends on its version
_GUESS = 10**6


class Characters(Data):
    """A text, character by character: the next one is to be predicted at each position.

    Cut into windows that share nothing; the last part is for testing, the part before it for
    validation.
    """

    name: Literal["characters"]
    validation_fraction: Fraction = 0.1
    source: str = Field(
        "python",
        description="python (the reference texts of Python's own help), tinyshakespeare, or the "
        "path of a text file",
    )
    length: int = Field(64, ge=1, le=10_000, description="characters that a network reads at once")
    vocabulary: int = Field(
        100, ge=3, le=10_000, description="character ids: unused, unknown, commonest characters"
    )
    limit: Limit | None = Field(
        None, description="use only so many windows for training and validation"
    )
    test_limit: Limit | None = Field(None, description="test on only so many windows")

    rule: ClassVar[str] = "windows-1"
    clustered: ClassVar[bool] = True
    repeats: ClassVar[bool] = True
    hub_task: ClassVar[str | None] = "text-generation"
    cases: ClassVar = (
        {},
        {"limit": 50, "test_limit": 9, "length": 20},
        {"source": "tinyshakespeare", "limit": 200, "test_limit": 50},
    )

    @property
    def form(self) -> Form:
        """Ids of characters, and at each position the id of the next one."""
        return Form((self.length,), self.vocabulary, "sequence", self.vocabulary)

    def sizes(self) -> tuple[int, int]:
        """See `Data`."""
        here = self._file(Path())
        guess = here.stat().st_size if here.is_file() else _GUESS
        return self._counts(_LENGTHS.get(self.source, guess))

    def decides(self) -> dict[str, Any]:
        """See `Data`; where the text lies is of no matter."""
        return self.model_dump(mode="json", exclude={"validation_fraction", "source"})

    def files(self, root: Path) -> list[Path]:
        """See `Data`."""
        return [self._file(root)]

    def load(self, root: Path) -> Dataset:
        """Read the text and cut it into windows."""
        text, size = self._text(root), self.length + 1
        sizes = self._counts(len(text))
        if min(sizes) < 1 or sizes[0] < 4:
            raise DataMissingError(
                f"the text '{self.source}' has {len(text)} characters, too few for windows of "
                f"{self.length}"
            )
        windows = len(text) // size
        first_test = windows - _test_windows(windows)
        first = first_test - sizes[0]
        known = Counter(text[first * size : first_test * size])
        ranked = sorted(known, key=lambda character: (-known[character], character))
        ids = {character: i for i, character in enumerate(ranked[: self.vocabulary - 2], start=2)}
        parts = [
            _windows(text[begin * size : (begin + count) * size], ids, size)
            for begin, count in ((first, sizes[0]), (first_test, sizes[1]))
        ]
        # a text stays with a matter for more than one window: as long blocks as there is an
        # optimum for (Kuensch, Annals of Statistics 17, 1989)
        length = math.ceil(len(parts[1]) ** (1 / 3))
        parts[1] = replace(parts[1], clusters=blocks(len(parts[1]), length))
        handling = Handling("ordered", normalization="none")
        tokens = ("", NO_CHARACTER, *ids)
        return Dataset("characters", self.form, parts[0], parts[1], handling, tokens=tokens)

    def _file(self, root: Path) -> Path:
        if self.source == "python":
            return bundled("pydoc_data", "topics.py")
        if self.source == "tinyshakespeare":
            return root / "tinyshakespeare" / "input.txt"
        return found_at(self.source, root)

    def _text(self, root: Path) -> str:
        file, source = self._file(root), self.source
        if source == "tinyshakespeare" and not file.is_file():
            raise missing(
                "the plays are not", root, "Put input.txt (Karpathy, char-rnn) into tinyshakespeare"
            )
        if not file.is_file():
            raise DataMissingError(
                f"there is no text '{source}', neither by that name, nor as a file here, beside the"
                f" study file or under '{root}'{nearest(source, _LENGTHS)}"
            )
        text = file.read_text(encoding="utf-8", errors="replace")
        if source != "python":
            return text
        # the file assigns one dictionary of texts by topic
        last = ast.parse(text).body[-1]
        assert isinstance(last, ast.Assign | ast.AnnAssign)
        assert last.value is not None
        return "\n".join(ast.literal_eval(last.value).values())

    def _counts(self, characters: int) -> tuple[int, int]:
        """Return the number of windows outside the test split, and in it."""
        windows = characters // (self.length + 1)
        test = _test_windows(windows)
        limits = (self.limit or windows, self.test_limit or test)
        return min(limits[0], windows - test), min(limits[1], test)


def _windows(text: str, ids: dict[str, int], size: int) -> Examples:
    """Return windows that share no character, as inputs and as the characters that follow."""
    encoded: NDArray[np.int64] = np.array([ids.get(character, UNKNOWN) for character in text])
    rows = encoded.reshape(-1, size)
    return Examples(np.ascontiguousarray(rows[:, :-1]), np.ascontiguousarray(rows[:, 1:]))


def _test_windows(windows: int) -> int:
    return max(1, round(TEST_FRACTION * windows))
