"""Scores from elsewhere, judged without training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.ranking.leaderboard import Goal, Leaderboard, Missing


def judge_scores(
    file: str | Path, *, metric: str, goal: Goal, missing: Missing = "refuse", alpha: float = 0.05
) -> Leaderboard:
    """Judge a CSV file of scores of many methods on many data sets.

    Args:
        file: one score a line, or a table of methods and data sets (docs/benchmark-studies.md).
        metric: what the scores are.
        goal: which way is better.
        missing: what a score means that others of the data set have.
        alpha: chance of any pair settled falsely.

    Raises:
        InputError: if the file cannot be read as scores, or lacks some.
    """
    from harness.ranking.leaderboard import judge_table
    from harness.ranking.table_file import read_scores

    return judge_table(read_scores(Path(file), metric), metric, goal, missing, alpha)
