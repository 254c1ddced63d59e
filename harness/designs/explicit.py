"""Arms that are named one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from harness.designs.base import Combination, Design, Levels

if TYPE_CHECKING:
    from harness.study.model import Study


class Explicit(Design):
    """Only the named arms."""

    name: Literal["explicit"]

    def combinations(self, levels: Levels, baseline: Combination) -> list[dict[str, Any]]:
        """See `Design`."""
        return []

    def problems(self, study: Study) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """It is nothing without named arms."""
        if not study.arms:
            yield ("design",), "the design explicit needs `arms`"
