"""Training a recorded trial once more, and comparing the two records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import stdev
from typing import TYPE_CHECKING, Any

from harness.identity import training_version
from harness.run.stages import training_inputs
from harness.store import Store
from harness.trial import TIMED, Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Weights = Mapping[str, NDArray[Any]]

ENVIRONMENT = ("system", "device", "device_name", "torch", "precision", "threads")
"""What a trial's numbers may depend on in their last digits."""
FARTHEST = 3.0
"""How many standard deviations of its arm's seeds a number of another environment may lie off."""


@dataclass(frozen=True)
class Replay:
    """A trial that was trained again.

    Attributes:
        record: of the new training.
        identical: whether all that has to be equal is, bit for bit.
        code_changed: whether the code that trains it is not what it was.
        environment: what of the environment is not as it was, in words.
        metrics: (recorded, trained again) of each metric that differs, by name; absent is None.
    """

    record: Record
    identical: bool
    code_changed: bool
    environment: tuple[str, ...]
    metrics: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)

    @property
    def differs_in(self) -> list[str]:
        """What of code and environment is not as it was, in words."""
        return [*(["the code that trains it"] if self.code_changed else []), *self.environment]

    def within(self, deviations: Mapping[str, float], before: Record) -> bool:
        """Tell whether a replay in another environment gave the same, as far as can be expected.

        Floating-point sums come out otherwise on another machine or version, and training makes
        that grow. What is left then is that the numbers are ones that another seed might have had.

        Args:
            deviations: the standard deviation of each metric over the seeds of the trial's arm.
            before: the record.
        """
        return self.record.state is before.state and all(
            old is not None
            and new is not None
            and abs(new - old) <= max(FARTHEST * deviations.get(name, 0.0), 1e-4 * abs(old), 1e-9)
            for name, (old, new) in self.metrics.items()
        )


def train_again(record: Record, store: Store | None, root: Path | None) -> Replay:
    """Train a recorded trial once more, in this process, and compare.

    Args:
        record: of the trial.
        store: that holds the products of the stages that it uses.
        root: the folder of data files; None for the usual one.

    Raises:
        DataMissingError: if its data are not at hand.
        CodeMissingError: if code of the user's own that it names is not.
        InputError: if other code trained it, or what it uses of a stage is not recorded.
    """
    from harness.train import train

    of = training_inputs(record, store, root)
    events = train([record.trial], of.data, threads=of.threads, given=of.given)
    again = next(event for event in events if isinstance(event, Record))
    same = again.deterministic_part() == record.deterministic_part()
    kept = store.weights(record.trial_id) if store is not None else None
    return Replay(
        again,
        same and _same_weights(again.weights, kept),
        _version(record) != record.trial.code_version,
        tuple(_changed(record, again)),
        {
            name: (record.metrics.get(name), again.metrics.get(name))
            for name in dict.fromkeys([*record.metrics, *again.metrics])
            if not name.startswith(TIMED) and record.metrics.get(name) != again.metrics.get(name)
        },
    )


def _version(record: Record) -> str:
    return training_version(record.trial.workload, probes=record.trial.probes)


def _changed(record: Record, again: Record) -> list[str]:
    found = []
    for name in ENVIRONMENT:
        then, now = record.environment.get(name), again.environment.get(name)
        if then != now:
            found.append(f"{name.replace('_', ' ')} {then} then, {now} now")
    return found


def spread(values: list[float]) -> float:
    """Return the standard deviation of the values of an arm's seeds; 0 for fewer than two."""
    return stdev(values) if len(values) > 1 else 0.0


def _same_weights(again: Weights | None, before: Weights | None) -> bool:
    """Whether weights are equal bit for bit; those that were not kept are not compared."""
    if again is None or before is None:
        return True
    return again.keys() == before.keys() and all(
        again[name].tobytes() == before[name].tobytes() for name in again
    )
