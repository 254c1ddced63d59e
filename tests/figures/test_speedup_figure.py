"""Speedup over workers, from timing blocks whose numbers are known."""

from dataclasses import replace

import pandas as pd
import pytest

from harness.figures.speedup import Speedup


@pytest.fixture
def timed(finished):
    """Evidence with timing blocks of two and four workers for the study's first two arms."""

    def make(names):
        arms = [arm.name for arm in finished.evidence.plan.arms][:2]
        rows = [
            {"arm": arm, "phase": "timing", "state": "complete", "seed": block,
             **{name: value + place + block / 10 for name, value in names.items()}}
            for place, arm in enumerate(arms) for block in range(3)
        ]  # fmt: skip
        return replace(finished.evidence, trials=pd.DataFrame(rows)), arms

    return make


def test_a_line_for_each_timed_arm_beside_the_ideal(timed):
    evidence, arms = timed({"timing.speedup_4": 1.4, "timing.speedup_2": 1.2})
    picture = Speedup().draw(evidence, [])
    rows = [row for row in picture.data if row["line"] != "ideal"]
    assert [row["Workers"] for row in rows][:3] == [1, 2, 4]
    assert [row["Speedup"] for row in rows][:3] == pytest.approx([1, 1.3, 1.5])
    assert len({(row["panel"], row["line"]) for row in rows}) == len(arms)
    assert rows[0]["low"] == rows[0]["high"] == 1
    assert rows[1]["low"] < 1.3 < rows[1]["high"]
    ideal = [row for row in picture.data if row["line"] == "ideal"]
    assert all(row["Workers"] == row["Speedup"] for row in ideal)


def test_nothing_is_drawn_where_workers_were_not_timed(timed):
    assert Speedup().draw(timed({"timing.step_seconds": 1.0})[0], []) is None
