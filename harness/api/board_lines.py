"""A leaderboard in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def board_lines(board: Mapping[str, Any]) -> Iterator[str]:
    """Write a leaderboard, as `Leaderboard.to_dict` gives it: places, mean ranks, notes."""
    yield f"{board['metric']} ({board['goal']}): {board['headline']}"
    for one in board["standings"]:
        first, last = one["places"]
        place = f"{first}" if one["settled"] else f"{first} to {last}"
        low, high = one["rank_interval"]
        yield (
            f"  place {place:<9}{one['method']}, mean rank {one['mean_rank']:.2f} "
            f"[{low:.2f}, {high:.2f}], wins {100 * one['win_rate']:.0f} %"
        )
    for text in (*board["notes"], *board["unknown"]):
        yield f"note: {text}"
