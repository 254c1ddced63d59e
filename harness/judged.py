"""The answer to a claim: its verdict, the numbers behind it, how it is refuted, at which scale.

"Refuted" alone is not an honest sentence: an effect that is smaller than claimed is another finding
than its opposite, and what holds of a small network on few examples need not hold of a large one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.formatting import listed, plural

FEWEST = 5
"""Numbers that a verdict rests on at least: seeds, repeated searches, clusters of examples."""

REFUTATIONS = {
    "opposite": "the other way round",
    "too small": "smaller than claimed",
    "too large": "larger than claimed",
    "too low": "lower than claimed",
    "too high": "higher than claimed",
}
"""How a claim can be refuted, in words; `harness.stats.hypotheses.refutation` tells which it is."""


PREMISE = " (premise)"
"""Ends what is expected of a part without which the others decide nothing."""
OVER_DATA_SETS = " over data sets ("
"""Follows the metric of a claim over data sets, where `measures` says what was measured."""


class Judged:
    """What a claim and a part of one have in common."""

    verdict: str
    refutation: str
    measures: str

    @property
    def unit(self) -> str:
        """What gave it one number each: a "seed", a "block" of timings, or a "data set"."""
        quantity = self.measures.partition(": ")[0]
        if OVER_DATA_SETS in quantity:
            return "data set"
        return "block" if "timing." in quantity else "seed"

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


@dataclass(frozen=True)
class Part(Judged):
    """One test of a claim of several: what it measures, what it expects, and what came of it.

    `missing` says why there are no numbers; see `Verdict` for the rest.
    """

    measures: str
    expected: str
    verdict: str
    p_value: float | None
    missing: str
    effect: float | None
    ci_low: float | None
    ci_high: float | None
    p_corrected: float | None = None
    level: float | None = None
    interval_over: str = ""
    over_seeds: list[float | None] | None = None
    over_seeds_and_examples: list[float | None] | None = None
    refutation: str = ""
    claimed: tuple[tuple[float, float], ...] = field(default=(), compare=False)
    neutral: float | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Verdict(Judged):
    """The answer to one claim, with the evidence it rests on: what every page, table and API reads.

    `verdict` is supported, refuted, inconclusive or incomplete. `effect`, its interval and the
    p-values are None where the evidence does not allow a number; of a claim of several parts they
    are those of the part that decides it. `exploratory` says how the claim came after its evidence;
    its verdict then describes what had been seen, and tests nothing. `level` is the confidence of
    the interval, `interval_over` what it allows for: "seeds", "seeds and test examples", "data
    sets" or "blocks" (empty without one). Beside it stand the interval over seeds alone and, where
    it is known what each test example came out as, the one over both: [low, high], None where
    unbounded. `p_value` is that of a t test, `p_corrected` the same corrected for the claims and
    looks of the study, and `p_sign_flip` that of a sign-flip test, corrected likewise. `refutation`
    is a key of `REFUTATIONS`, or empty; `scope` says at which scale it was tested. `searches` says
    how often the arms were searched, 0 if never; of two or more, each counts as one number, the
    average over its seeds. What only drawings show is in no document: `claimed`, the ranges where
    the claim puts the effect, whose ends may be infinite; `neutral`, no effect (0, or 1 for a
    ratio; None for a value).
    """

    id: str
    study: str
    profile: str
    says: str
    source: list[str]
    verdict: str
    effect: float | None
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    p_corrected: float | None
    seeds: int
    trials: list[str]
    measures: str
    expected: str
    reason: str
    level: float | None = None
    p_sign_flip: float | None = None
    seeds_needed: int | None = None
    searches: int = 0
    refutation: str = ""
    scope: Scope = field(default_factory=Scope)
    changed_after_evidence: bool = False
    exploratory: str = ""
    parts: list[Part] = field(default_factory=list)
    interval_over: str = ""
    over_seeds: list[float | None] | None = None
    over_seeds_and_examples: list[float | None] | None = None
    claimed: tuple[tuple[float, float], ...] = field(default=(), compare=False)
    neutral: float | None = field(default=None, compare=False)

    @property
    def counted(self) -> str:
        """How many seeds it rests on, as a table of them shows it: "8", or "8 blocks"."""
        return str(self.seeds) if self.unit == "seed" else plural(self.seeds, self.unit)

    @property
    def flag(self) -> str:
        """What a reader has to know beside the verdict; empty if nothing."""
        if self.exploratory:
            return f"exploratory: {self.exploratory[0].lower()}{self.exploratory[1:].rstrip('.')}"
        return "changed after its evidence had been seen" if self.changed_after_evidence else ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON-able values, without what only drawings show."""
        fields = asdict(self)
        for row in (fields, *fields["parts"]):
            del row["claimed"], row["neutral"]
        return fields | {"scope": self.scope.to_dict()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Verdict:
        """Rebuild a verdict from `to_dict`."""
        parts = [Part(**part) for part in fields["parts"]]
        scope = Scope.from_dict(fields.get("scope", {}))
        return cls(**{**fields, "parts": parts, "scope": scope})
