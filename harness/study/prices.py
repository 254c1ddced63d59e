"""What a device costs in money and carbon dioxide: declared in a study, or once for a user."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from harness.components import Component
from harness.errors import InputError, Problem
from harness.formatting import number
from harness.study.document import read_yaml
from harness.study.running import Resources

FILE = Path("harness/prices.yaml")
"""Below $XDG_CONFIG_HOME (default: ~/.config): the prices of all studies that declare none."""
_HOUR, _KWH = 3600.0, 3.6e6  # seconds, joules


@dataclass(frozen=True)
class Bill:
    """What trials cost: money, and grams of carbon dioxide; None for what no price tells."""

    money: float | None
    currency: str
    grams: float | None

    def __str__(self) -> str:
        said = [] if self.money is None else [f"{self.money:,.2f} {self.currency}"]
        if self.grams is not None:
            large = self.grams >= 1000
            said.append(
                f"{number(self.grams / (1000 if large else 1), 3)} {'kg' if large else 'g'} CO2"
            )
        return ", ".join(said)

    def to_dict(self) -> dict[str, Any]:
        """Return what is known as plain data."""
        known = {"money": self.money, "co2_grams": self.grams}
        found: dict[str, Any] = {k: round(v, 4) for k, v in known.items() if v is not None}
        return found | ({"currency": self.currency} if self.money is not None else {})


class Prices(Component):
    """What an hour of a device costs: of a GPU where trials get one, else of a core."""

    device_hour: float | None = Field(None, ge=0, description="money for an hour of a device")
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$", description="such as EUR")
    grams_per_kwh: float | None = Field(
        None, ge=0, le=5000, description="carbon dioxide of a kilowatt hour, where the machines are"
    )
    watts: float | None = Field(
        None, gt=0, le=10_000, description="of a device, where no sensor counts its energy"
    )

    def bill(self, resources: Resources, seconds: float, joules: float | None) -> Bill:
        """Return what trials cost.

        A trial is charged for the devices that it holds, as long as it holds them: start and
        waiting of workers are not in it.

        Args:
            resources: of a trial.
            seconds: of its workers, of all trials together.
            joules: of all trials, None where they are not known.
        """
        devices = (resources.gpus or resources.cpus) * resources.workers
        hours = seconds / _HOUR * devices
        if joules is None and self.watts is not None:
            joules = hours * _HOUR * self.watts
        known = joules is not None and self.grams_per_kwh is not None
        return Bill(
            None if self.device_hour is None else hours * self.device_hour,
            self.currency,
            joules / _KWH * self.grams_per_kwh if known else None,  # type: ignore[operator]
        )


def user_prices() -> Prices | None:
    """Return the prices of the user's file, None if there is none.

    Raises:
        InputError: if it cannot be read, or holds something else.
    """
    file = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / FILE
    if not file.is_file():
        return None
    document = read_yaml(file)
    try:
        return Prices.model_validate(document.data)
    except ValidationError as error:
        problems = [
            Problem(str(item["msg"]), str(file), path=".".join(map(str, item["loc"])))
            for item in error.errors()
        ]
        raise InputError(problems) from None
