"""Texts, character by character, cut into windows whose next characters are to be predicted.

Id 0 is not used, id 1 is a character that the vocabulary lacks; then come the commonest characters
of the part that is not for testing.
"""

from __future__ import annotations

import ast
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.errors import nearest
from harness.form import Form
from harness.workloads.dataset import Dataset, Examples, Handling
from harness.workloads.source import (
    Config,
    DataMissingError,
    DataSummary,
    Source,
    missing,
)

UNKNOWN = 1
NO_CHARACTER = "\N{REPLACEMENT CHARACTER}"
"""Stands for a character that the vocabulary lacks."""
TEST_FRACTION = 0.1
_LENGTHS = {"python": 465_000, "tinyshakespeare": 1_115_394}  # python's depends on its version
_NAMED = ("python", "tinyshakespeare")


def _file(config: Config, root: Path) -> Path:
    source: str = config["source"]
    if source == "python":
        package = find_spec("pydoc_data")
        assert package is not None
        assert package.submodule_search_locations is not None
        return Path(package.submodule_search_locations[0]) / "topics.py"
    if source == "tinyshakespeare":
        return root / "tinyshakespeare" / "input.txt"
    return Path(source) if Path(source).is_file() else root / source


def _text(config: Config, root: Path) -> str:
    file, source = _file(config, root), config["source"]
    if source == "tinyshakespeare" and not file.is_file():
        raise missing(
            "the plays are not", root, "Put input.txt (Karpathy, char-rnn) into tinyshakespeare"
        )
    if not file.is_file():
        raise DataMissingError(
            f"there is no text '{source}', neither by that name, nor as a file here or under "
            f"'{root}'{nearest(source, _NAMED)}"
        )
    text = file.read_text(encoding="utf-8", errors="replace")
    if source != "python":
        return text
    # the file assigns one dictionary of texts by topic
    last = ast.parse(text).body[-1]
    assert isinstance(last, ast.Assign | ast.AnnAssign)
    assert last.value is not None
    return "\n".join(ast.literal_eval(last.value).values())


def _load(config: Config, root: Path) -> Dataset:
    text, size = _text(config, root), config["length"] + 1
    sizes = _window_counts(len(text), config)
    if min(sizes) < 1 or sizes[0] < 4:
        raise DataMissingError(
            f"the text '{config['source']}' has {len(text)} characters, too few for windows of "
            f"{config['length']}"
        )
    everything, test_windows = len(text) // size, _test_windows(len(text) // size)
    first_test = everything - test_windows
    first = first_test - sizes[0]
    known = Counter(text[first * size : first_test * size])
    ranked = sorted(known, key=lambda character: (-known[character], character))
    ids = {character: i for i, character in enumerate(ranked[: config["vocabulary"] - 2], start=2)}
    parts = [
        _windows(text[begin * size : (begin + count) * size], ids, size)
        for begin, count in ((first, sizes[0]), (first_test, sizes[1]))
    ]
    handling = Handling("ordered", normalization="none")
    tokens = ("", NO_CHARACTER, *ids)
    return Dataset("characters", _form(config), parts[0], parts[1], handling, tokens=tokens)


def _windows(text: str, ids: dict[str, int], size: int) -> Examples:
    """Return windows that share no character, as inputs and as the characters that follow."""
    encoded: NDArray[np.int64] = np.array([ids.get(character, UNKNOWN) for character in text])
    rows = encoded.reshape(-1, size)
    return Examples(np.ascontiguousarray(rows[:, :-1]), np.ascontiguousarray(rows[:, 1:]))


def _test_windows(windows: int) -> int:
    return max(1, round(TEST_FRACTION * windows))


def _window_counts(characters: int, config: Config) -> tuple[int, int]:
    """Return the number of windows outside the test split, and in it."""
    windows = characters // (config["length"] + 1)
    test = _test_windows(windows)
    limits = (config.get("limit") or windows, config.get("test_limit") or test)
    return min(limits[0], windows - test), min(limits[1], test)


def _form(config: Config) -> Form:
    size = config["vocabulary"]
    return Form((config["length"],), size, "sequence", size)


def _summary(config: Config) -> DataSummary:
    source = config["source"]
    if source in _LENGTHS:
        characters = _LENGTHS[source]
    else:
        characters = Path(source).stat().st_size if Path(source).is_file() else 10**6
    return DataSummary(*_window_counts(characters, config), _form(config))


CHARACTERS = {
    "characters": Source(
        lambda config, root: [_file(config, root)],
        _load,
        _summary,
        ("length", "vocabulary", "limit", "test_limit"),
        "windows-1",
    )
}
