"""Texts, character by character, cut into windows whose next characters are to be predicted.

Id 0 is not used, id 1 is a character that the vocabulary lacks; then come the commonest characters
of the part that is not for testing, or all bytes. Words can stand in the place of characters; or a
tokenizer of transformers says the ids.
"""

from __future__ import annotations

import ast
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.components.base import unsaid
from harness.data._dataset import Dataset, Examples, Handling, blocks
from harness.data._files import found_at
from harness.data._words import count_vocabulary, files_of_tokenizer, load_tokenizer
from harness.data._words import tokens as words
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
_LENGTHS = {  # of Python's own texts it depends on its version
    "python": 465_000, "library": 1_137_000, "tinyshakespeare": 1_115_394,
}  # fmt: skip
LIBRARY = (
    "argparse", "calendar", "configparser", "csv", "dataclasses", "datetime", "difflib", "enum",
    "fractions", "heapq", "inspect", "shutil", "statistics", "string", "tarfile", "textwrap",
    "typing", "zipfile",
)  # fmt: skip
"""Modules of Python's standard library whose source is a text; those that are not there are left
out."""
_OFFSET = 2  # ids before those of the bytes
_GUESS = 10**6


class Characters(Data):
    """A text, character by character: the next one is to be predicted at each position.

    Or word by word, where a word is a run of letters, digits and apostrophes in lower case, or a
    single other sign.

    Cut into windows that share nothing; the last part is for testing, the part before it for
    validation.
    """

    name: Literal["characters"]
    validation_fraction: Fraction = 0.1
    source: str = Field(
        "python",
        description="python (the reference texts of Python's own help), library (source code of "
        "Python's standard library), tinyshakespeare, or the path of a text file",
    )
    length: int = Field(64, ge=1, le=10_000, description="characters that a network reads at once")
    vocabulary: Annotated[int, Field(ge=3, le=10_000)] | Literal["bytes"] = Field(
        100,
        description="character ids: unused, unknown, commonest characters; bytes: those of UTF-8, "
        "which are the same for every text",
    )
    unit: Literal["characters", "words"] = Field(
        "characters",
        exclude_if=lambda unit: unit == "characters",
        description="what is predicted; with words, set `vocabulary` to some thousands",
    )
    tokenizer: str | None = Field(
        None,
        exclude_if=unsaid,
        description="a tokenizer of transformers in place of characters: a folder, package:folder, "
        "or a name on Hugging Face's hub; `vocabulary` is then the tokenizer's",
    )
    limit: Limit | None = Field(
        None, description="use only so many windows for training and validation"
    )
    spread: bool = Field(
        False,
        exclude_if=lambda spread: not spread,
        description="take the windows of `limit` evenly from the whole text, with the vocabulary "
        "of all of it, instead of the last ones before the test split: then more windows are more "
        "of the same",
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
        {"limit": 50, "test_limit": 9, "length": 20, "spread": True},
        {"source": "library", "vocabulary": "bytes", "limit": 200, "test_limit": 50},
        {"unit": "words", "vocabulary": 500, "length": 20, "limit": 200, "test_limit": 50},
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.unit == "words" and (self.tokenizer or self.vocabulary == "bytes"):
            what = "a tokenizer" if self.tokenizer else "vocabulary: bytes"
            raise ValueError(f"unit: words does not go with {what}, which cuts the text itself")
        return self

    @property
    def form(self) -> Form:
        """Ids of characters, and at each position the id of the next one."""
        size = self.vocabulary if isinstance(self.vocabulary, int) else _OFFSET + 256
        return self._form(size)

    def _form(self, size: int) -> Form:
        return Form((self.length,), size, "sequence", size)

    @property
    def token_meaning(self) -> Any:
        """See `Data`."""
        if self.tokenizer or self.vocabulary == "bytes":
            return ["tokenizer", self.tokenizer] if self.tokenizer else ["bytes"]
        no_matter = {"test_limit", "validation_fraction"}
        no_matter |= {"limit", "length"} if self.spread or self.limit is None else set()
        return self.model_dump(mode="json", exclude=no_matter)

    def sizes(self) -> tuple[int, int]:
        """See `Data`."""
        here = self._files(Path())[0]
        guess = here.stat().st_size if here.is_file() else _GUESS
        characters = _LENGTHS.get(self.source, guess)
        shorter = 3 if self.tokenizer else 5 if self.unit == "words" else 1
        return self._counts(characters // shorter)

    @property
    def most_examples(self) -> int | None:
        """See `Data`; Python's own texts differ a little between its versions."""
        length = _LENGTHS.get(self.source)
        if length is None or self.tokenizer or self.unit == "words":
            return None
        whole = self.model_copy(update={"limit": None})
        return whole._counts(length + (length // 10 if self.source != "tinyshakespeare" else 0))[0]

    def decides(self) -> dict[str, Any]:
        """See `Data`; where the text lies is of no matter."""
        return self.model_dump(mode="json", exclude={"validation_fraction", "source"})

    def files(self, root: Path) -> list[Path]:
        """See `Data`."""
        return [*self._files(root), *(files_of_tokenizer(self.tokenizer) if self.tokenizer else [])]

    def load(self, root: Path) -> Dataset:
        """Read the text and cut it into windows."""
        text, size, form = self._text(root), self.length + 1, self.form
        units: Sequence[Any] = text
        if self.tokenizer:
            tokenizer = load_tokenizer(self.tokenizer)
            units = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
            form = self._form(len(tokenizer))
        elif self.vocabulary == "bytes":
            units = text.encode()
        elif self.unit == "words":
            units = words(text)
        sizes = self._counts(len(units))
        if min(sizes) < 1 or sizes[0] < 4:
            raise DataMissingError(
                f"the text '{self.source}' has {len(units)} {self.unit}, too few for windows of "
                f"{self.length}"
            )
        windows = len(units) // size
        first_test = windows - _test_windows(windows)
        first = 0 if self.spread else first_test - sizes[0]
        tokens: tuple[str, ...] = ()
        if self.tokenizer:
            encoded = np.asarray(units, dtype=np.int64)
        elif self.vocabulary == "bytes":
            encoded = np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int64) + _OFFSET
            tokens = ("", NO_CHARACTER, *map(chr, range(128)), *[NO_CHARACTER] * 128)
        else:
            ids = count_vocabulary([units[first * size : first_test * size]], form.outputs)
            encoded = np.array([ids.get(unit, UNKNOWN) for unit in units], dtype=np.int64)
            after = " " if self.unit == "words" else ""
            tokens = ("", NO_CHARACTER + after, *(unit + after for unit in ids))
        taken = first + np.arange(sizes[0]) * (first_test - first) // sizes[0]
        parts = [
            _windows(encoded, size, which) for which in (taken, first_test + np.arange(sizes[1]))
        ]
        # a text stays with a matter for more than one window: as long blocks as there is an
        # optimum for (Kuensch, Annals of Statistics 17, 1989)
        length = math.ceil(len(parts[1]) ** (1 / 3))
        parts[1] = replace(parts[1], clusters=blocks(len(parts[1]), length))
        handling = Handling("ordered", normalization="none")
        return Dataset("characters", form, parts[0], parts[1], handling, tokens=tokens)

    def _files(self, root: Path) -> list[Path]:
        if self.source == "python":
            return [bundled("pydoc_data", "topics.py")]
        if self.source == "library":
            every = [Path(os.__file__).parent / f"{name}.py" for name in LIBRARY]
            return [file for file in every if file.is_file()]
        if self.source == "tinyshakespeare":
            return [root / "tinyshakespeare" / "input.txt"]
        return [found_at(self.source, root)]

    def _text(self, root: Path) -> str:
        files, source = self._files(root), self.source
        file = files[0]
        if source == "tinyshakespeare" and not file.is_file():
            raise missing(
                "the plays are not", root, "Put input.txt (Karpathy, char-rnn) into tinyshakespeare"
            )
        if not file.is_file():
            raise DataMissingError(
                f"there is no text '{source}', neither by that name, nor as a file here, beside the"
                f" study file or under '{root}'{nearest(source, _LENGTHS)}"
            )
        text = "\n".join(one.read_text(encoding="utf-8", errors="replace") for one in files)
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


def _windows(encoded: NDArray[np.int64], size: int, which: NDArray[np.int64]) -> Examples:
    """Return some of the windows, which share no token: inputs, and the tokens that follow."""
    rows = encoded[: len(encoded) // size * size].reshape(-1, size)[which]
    return Examples(np.ascontiguousarray(rows[:, :-1]), np.ascontiguousarray(rows[:, 1:]))


def _test_windows(windows: int) -> int:
    return max(1, round(TEST_FRACTION * windows))
