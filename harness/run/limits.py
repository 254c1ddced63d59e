"""When a run has taken, or cost, as much as it may: then no further trial is started."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from harness.errors import InputError
from harness.formatting import seconds
from harness.study import Study
from harness.study.prices import Bill, Prices, user_prices
from harness.study.running import seconds as in_seconds
from harness.trial import SECONDS, Record, cost_of


def prices_of(study: Study) -> Prices | None:
    """Return the prices that a study declares, or else the user's own.

    Raises:
        InputError: if the user's file is no list of prices.
    """
    return study.prices or user_prices()


def plain_prices(study: Study) -> dict[str, Any] | None:
    """Return the prices that hold as plain data, to be kept with an execution."""
    prices = prices_of(study)
    return None if prices is None else prices.model_dump(mode="json")


def bill_of(study: Study, costs: Mapping[str, float]) -> Bill | None:
    """Return what costs come to at the prices that hold; None if nothing is known of it.

    Args:
        study: whose trials they are of.
        costs: by unit, as `harness.trial.COSTS` has them.
    """
    prices = prices_of(study)
    if prices is None or costs.get(SECONDS) is None:
        return None
    bill = prices.bill(study.resources, costs[SECONDS], costs.get("joules"))
    return bill if str(bill) else None


@dataclass
class Limits:
    """What all studies of one command may take together; the clock runs from here.

    Attributes:
        seconds: from the beginning of the command; None for as long as it takes.
        money: in the currency of the studies' prices; None for what it costs.
        since: a moment (seconds of the epoch) since when earlier commands' trials are charged as
            well, so that a job that is queued again has one limit; None for this command's alone.
        spent: by the trials that have ended so far.
        clock: seconds that only grow.
    """

    seconds: float | None = None
    money: float | None = None
    since: float | None = None
    clock: Callable[[], float] = time.monotonic
    spent: float = 0.0
    begin: float = field(init=False)

    def __post_init__(self) -> None:
        self.begin = self.clock()

    def __bool__(self) -> bool:
        return self.seconds is not None or self.money is not None

    def check(self, study: Study) -> None:
        """Make sure that the cost of a study can be told, where it is limited.

        Raises:
            InputError: if no price is known.
        """
        prices = prices_of(study)
        if self.money is not None and (prices is None or prices.device_hour is None):
            raise InputError(
                f"--max-cost: no price is known for {study.study}; write prices: {{device_hour: "
                "2.5, currency: EUR}} into the study, or device_hour: 2.5 into "
                "~/.config/harness/prices.yaml"
            )


def limits_of(
    max_time: str | None, max_cost: float | None, since: str | None, studies: Iterable[Study]
) -> Limits | None:
    """Return what a command may take, as it was asked for; None for as much as it takes.

    Args:
        max_time: such as `8 h`.
        max_cost: in the currency of the studies' prices.
        since: the moment from which on money counts, such as `2026-11-30T12:00`.
        studies: all of the command.

    Raises:
        InputError: if one of them is wrong, or no price is known.
    """
    if since is not None and max_cost is None:
        raise InputError("--since goes with --max-cost")
    if max_time is None and max_cost is None:
        return None
    limits = Limits(money=max_cost)
    try:
        limits.seconds = None if max_time is None else in_seconds(max_time)
    except ValueError as error:
        raise InputError(f"--max-time: {error}") from None
    try:
        limits.since = None if since is None else datetime.fromisoformat(since).timestamp()
    except ValueError:
        raise InputError(f"--since: '{since}' is not a moment such as 2026-11-30T12:00") from None
    if max_cost is not None and not 0 < max_cost < float("inf"):
        raise InputError(f"--max-cost: {max_cost:g} is not an amount of money above 0")
    for study in studies:
        limits.check(study)
    return limits


class Meter:
    """Watches the limits for one study.

    Args:
        limits: of the command.
        study: whose prices count.
    """

    def __init__(self, limits: Limits, study: Study):
        self._limits = limits
        self._resources = study.resources
        self._prices = prices_of(study)
        self._ended, self._seconds = 0, 0.0
        self._earlier: set[str] = set()

    def add_earlier(self, record: Record) -> None:
        """Charge a trial that an earlier command ran, once, if it began late enough."""
        since = self._limits.since
        if since is not None and record.started >= since and record.trial_id not in self._earlier:
            self._earlier.add(record.trial_id)
            self.add(record)

    def add(self, record: Record) -> None:
        """Charge a trial that was run."""
        cost = cost_of(record)
        self._ended += 1
        self._seconds += cost[SECONDS]
        money = self._bill(cost[SECONDS]).money if self._prices else None
        self._limits.spent += money or 0.0

    def reached(self, running: int) -> str:
        """Say which limit is reached, if those that run now are charged what others cost so far.

        Args:
            running: trials that were started and have not ended.

        Returns:
            Such as `--max-time 8 h 00 min is over`; empty while there is room.
        """
        limits = self._limits
        if limits.seconds is not None and limits.clock() - limits.begin >= limits.seconds:
            return f"--max-time {seconds(limits.seconds)} is over"
        if limits.money is None or self._prices is None:
            return ""
        each = self._seconds / self._ended if self._ended else 0.0
        expected = limits.spent + (self._bill(each * running).money or 0.0)
        if expected < limits.money:
            return ""
        bill = Bill(limits.money, self._prices.currency, None)
        return f"--max-cost {bill} is spent"

    def _bill(self, worker_seconds: float) -> Bill:
        assert self._prices is not None
        return self._prices.bill(self._resources, worker_seconds, None)
