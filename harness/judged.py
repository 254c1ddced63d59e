"""What is said of a claim beside its verdict: how it is refuted, and at which scale it was tested.

"Refuted" alone is not an honest sentence: an effect that is smaller than claimed is another finding
than its opposite, and what holds of a small network on few examples need not hold of a large one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.formatting import listed

REFUTATIONS = {
    "opposite": "the other way round",
    "too small": "smaller than claimed",
    "too large": "larger than claimed",
    "too low": "lower than claimed",
    "too high": "higher than claimed",
}
"""How a claim can be refuted, in words; `harness.stats.hypotheses.refutation` tells which it is."""


class Judged:
    """What a claim and a part of one have in common."""

    verdict: str
    refutation: str

    @property
    def words(self) -> str:
        """The verdict and, if it is refuted, how: "refuted: smaller than claimed"."""
        how = REFUTATIONS.get(self.refutation)
        return f"{self.verdict}: {how}" if how else self.verdict


Span = tuple[int, int]
"""The smallest and the largest of some numbers."""


@dataclass(frozen=True)
class Scope:
    """At which scale a claim was tested: what the confirmation trials of its arms were.

    A number that no record has is None and in no sentence.

    Attributes:
        parameters: of the networks.
        examples: that a network is trained on.
        examples_known: whether records say how many; else they follow from the settings of the
            data, to about one in a hundred.
        updates: steps of the optimizer.
        candidates: settings that the search of an arm may try, all its repetitions together; 0 of
            an arm whose settings are fixed.
        search_epochs: of training that the search of an arm may spend, likewise.
        counted: whether the budget of the search was given in "candidates" or in "epochs".
        repeats: how often each search is repeated.
        devices: what the trials ran on.
    """

    parameters: Span | None = None
    examples: Span | None = None
    examples_known: bool = True
    updates: Span | None = None
    candidates: Span | None = None
    search_epochs: Span | None = None
    counted: str = "candidates"
    repeats: int = 1
    devices: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """All of it on a line: "25,450 parameters, 1,200 training examples, 180 updates, CPU"."""
        about = "" if self.examples_known else "about "
        parts = [
            _counted(self.parameters, "parameter"),
            _counted(self.examples, "training example", about),
            _counted(self.updates, "update"),
            self._search(),
            listed(list(self.devices)),
        ]
        return ", ".join(filter(None, parts))

    def _search(self) -> str:
        """Say what the settings of an arm were chosen from."""
        if self.candidates is None or self.search_epochs is None:
            return ""
        if self.candidates[1] == 0:
            return "nothing tuned"
        if self.counted == "epochs":
            text = _counted(self.search_epochs, "epoch") + " of search"
        else:
            text = _counted(self.candidates, "candidate")
        return text + (f" in {self.repeats} searches" if self.repeats > 1 else "")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON-able values, and all of it in `words`."""
        return {"words": self.words} | {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in vars(self).items()
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Scope:
        """Rebuild a scope from `to_dict`."""
        given: dict[str, Any] = {name: fields[name] for name in fields if name != "words"}
        given |= {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
        return cls(**given)


def _counted(span: Span | None, word: str, about: str = "") -> str:
    if span is None:
        return ""
    low, high = span
    numbers = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return f"{about}{numbers} {word}{'' if high == 1 else 's'}"
