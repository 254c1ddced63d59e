"""What disturbed timing blocks: a busy machine, and blocks that differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.evidence import Evidence
from harness.formatting import listed, listed_some, plural
from harness.trial import State

DIFFER = 1.25
"""Blocks differ where the slowest of an arm took so many times as long as its fastest."""
_ALIKE = ("timing.step_seconds", "timing.inference_seconds", "timing.training_seconds")
"""Times of what is the same work in each block; how soon a target is reached is not."""


@dataclass(frozen=True)
class BlockLoad:
    """How busy the machine was before and after a block; None where the system did not tell.

    Attributes:
        block: its number, from 0.
        load: the load average over a minute.
        runnable: threads, other than the block's own, that ran or waited for a core.
        cores: of the machine.
        threads: that the block computes with.
    """

    block: int
    load: tuple[float, float]
    runnable: tuple[float, float] | None
    cores: int
    threads: int

    @property
    def busy(self) -> bool:
        """Whether others wanted more cores than the block left them."""
        return self.runnable is not None and max(self.runnable) > self.cores - self.threads


def loads(evidence: Evidence) -> list[BlockLoad]:
    """Return how busy the machine was around each complete block, in their order."""
    found: dict[int, BlockLoad] = {}
    rows = evidence.timing
    for seed, trial_id in zip(rows["seed"], rows["trial_id"], strict=True):
        told: Mapping[str, list[float]] = evidence.details.get(trial_id, {})
        if "timing.load" in told and int(seed) not in found:
            runnable = told.get("timing.runnable")
            found[int(seed)] = BlockLoad(
                int(seed),
                (told["timing.load"][0], told["timing.load"][1]),
                None if runnable is None else (runnable[0], runnable[1]),
                int(told["timing.cores"][0]),
                evidence.plan.study.resources.cpus,
            )
    return [found[block] for block in sorted(found)]


def disturbances(evidence: Evidence) -> Iterator[str]:
    """Say what speaks against the times of an execution's blocks, in whole sentences."""
    timing, rows = evidence.plan.study.timing, evidence.timing
    if timing is None:
        return
    known = loads(evidence)
    busy = [load.block for load in known if load.busy]
    if busy:
        most = max(max(load.runnable) for load in known if load.busy and load.runnable)
        which = listed([str(block) for block in busy])
        yield (
            f"The machine was busy around {plural(len(busy), 'block')} of {len(known)} ({which}):"
            f" up to {most:.0f} other threads wanted to run on {plural(known[0].cores, 'core')}."
            " Run the study again on a quiet machine, with another number of blocks."
        )
    complete = rows[rows["state"] == State.COMPLETE.value]
    for metric in [name for name in timing.metrics if name in complete and name in _ALIKE]:
        by_arm = complete.groupby("arm", sort=False)[metric]
        ratios = by_arm.max() / by_arm.min()
        wide = [str(arm) for arm in ratios.index if ratios[arm] > DIFFER]
        if wide:
            yield (
                f"Blocks differ in {metric}: up to {ratios.max():.2f} times between the fastest and"
                f" the slowest of {listed_some(wide)}."
            )
