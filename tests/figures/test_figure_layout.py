import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.figures._layout import Group, Layout, Member, lay_out, row_label
from harness.figures._lines import padded, spread
from harness.plan import make_plan
from harness.study import study_from_dict
from harness.study.claims import Test as ClaimTest


def layout_of(factors, design="factorial", arms=None):
    study, built = study_from_dict(
        {
            "study": "s",
            "question": "q",
            "workload": {"data": {"name": "digits"}, "model": {"name": "mlp"}},
            "factors": factors,
            "design": design,
            "arms": arms or {},
        }
    )
    return lay_out(make_plan(study, built))


ACTIVATION = {"path": "model.activation", "levels": ["relu", "tanh", "gelu"]}
DEPTH = {"path": "model.depth", "levels": [2, 8]}
WIDTH = {"path": "model.width", "levels": [64, 128]}


def test_two_crossed_factors_give_a_group_per_level_of_the_longer_one():
    layout = layout_of({"depth": DEPTH, "activation": ACTIVATION}, arms={"odd": {"model.depth": 0}})
    assert layout.hue == "depth"
    assert [group.title for group in layout.groups] == ["relu", "tanh", "gelu", "Single arms"]
    assert [group.single for group in layout.groups] == [False, False, False, True]
    assert [(m.label, m.style) for m in layout.groups[0].members] == [
        ("depth 2", 0),
        ("depth 8", 1),
    ]
    assert [m.style for m in layout.groups[-1].members] == [2]  # no style of a depth


def test_one_factor_gives_one_group():
    layout = layout_of({"activation": ACTIVATION})
    assert len(layout.groups) == 1
    assert [m.arm for m in layout.groups[0].members] == ["relu", "tanh", "gelu"]


def test_one_at_a_time_shows_the_baseline_with_every_factor():
    layout = layout_of({"activation": ACTIVATION, "depth": DEPTH}, "one-at-a-time")
    assert [group.title for group in layout.groups] == ["activation", "depth"]
    assert {m.label for m in layout.groups[1].members} == {"2", "8"}


def test_three_factors_and_many_levels_stay_within_the_styles():
    layout = layout_of({"activation": ACTIVATION, "depth": DEPTH, "width": WIDTH})
    assert len({m.arm for group in layout.groups for m in group.members}) == 12
    many = layout_of({"depth": {"path": "model.depth", "levels": list(range(1, 21))}})
    assert [len(group.members) for group in many.groups] == [8, 8, 4]


def test_a_study_without_factors_has_a_layout():
    layout = layout_of({}, arms={"a": {"model.depth": 1}})
    assert sum(len(group.members) for group in layout.groups) >= 1


@given(st.lists(st.floats(-2, 3), max_size=6))
def test_spread_labels_do_not_overlap(places):
    moved = spread(places, 0.1)
    assert len(moved) == len(places)
    gaps = np.diff(sorted(moved))
    assert (gaps > 0.08).all()


def test_limits_hold_the_values():
    assert padded(np.array([]), 0.1) == (0.0, 1.0)
    low, high = padded(np.array([2.0]), 0.1)
    assert low < 2 < high
    low, high = padded(np.array([1e-9, 1.0]), 0.05, log=True)
    assert 0 < low < 1e-9
    assert high > 1


@pytest.mark.parametrize(
    ("hypothesis", "ranges"),
    [
        ({"greater_by": 0.1}, ((0.1, math.inf),)),
        ({"less_by": 0.1}, ((-math.inf, -0.1),)),
        ({"differs_by": 0.1}, ((-math.inf, -0.1), (0.1, math.inf))),
        ({"within": 0.1}, ((-0.1, 0.1),)),
        ({"between": [0.1, 2.0]}, ((0.1, 2.0),)),
        ({"above": 0.1}, ((0.1, math.inf),)),
        ({"below": 0.1}, ((-math.inf, 0.1),)),
    ],
)
def test_the_shaded_range_is_where_the_claim_puts_the_effect(hypothesis, ranges):
    sides = [{"arm": "a"}, {"arm": "b"}]
    test = ClaimTest(metric="test.accuracy", contrast=sides, **hypothesis)
    assert test.hypothesis.ranges(test.measure.log) == ranges


def test_the_range_of_a_ratio_lies_around_one():
    sides = [{"arm": "a"}, {"arm": "b"}]
    test = ClaimTest(metric="cost.seconds", ratio=sides, greater_by=0.25)
    assert test.hypothesis.ranges(test.measure.log) == ((1.25, math.inf),)


def test_arms_that_are_shown_by_their_own_names_stand_without_a_title():
    groups = tuple(
        Group(f"Arms ({place})", (Member(name, name, 0),)) for place, name in enumerate("ab", 1)
    )
    assert row_label(Layout(groups), groups[0], groups[0].members[0], 40) == "a"
    levels = Group("depth", (Member("2-relu", "relu", 0),))
    assert row_label(Layout((*groups, levels)), levels, levels.members[0], 40) == "depth: relu"
