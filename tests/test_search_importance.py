"""Which searched setting mattered."""

import numpy as np

from harness.search import importance, importances
from harness.search.importance import FEWEST

SPACE = {
    "optimizer.lr": {"log": [1e-4, 1e-1]},
    "model.width": {"integer": [8, 128]},
    "model.activation": {"choice": ["relu", "tanh"]},
}


def candidates(value, count=40):
    generator = np.random.default_rng(7)
    found = []
    for _ in range(count):
        point = {
            "optimizer.lr": float(10 ** generator.uniform(-4, -1)),
            "model.width": int(generator.integers(8, 128)),
            "model.activation": str(generator.choice(["relu", "tanh"])),
        }
        found.append((point, value(point)))
    return found


def test_the_setting_that_decides_has_the_largest_share():
    by_rate = importances(SPACE, candidates(lambda p: abs(np.log10(p["optimizer.lr"]) + 2)))
    assert list(by_rate) == list(SPACE)
    assert sum(by_rate.values()) == 1 or abs(sum(by_rate.values()) - 1) < 1e-9
    assert by_rate["optimizer.lr"] > 0.8
    by_choice = importances(SPACE, candidates(lambda p: float(p["model.activation"] == "relu")))
    assert by_choice["model.activation"] > 0.8


def test_the_same_candidates_give_the_same_shares():
    tried = candidates(lambda p: p["optimizer.lr"] + p["model.width"] / 128)
    assert importances(SPACE, tried) == importances(SPACE, tried)


def test_too_few_or_equal_candidates_have_none():
    assert importances(SPACE, candidates(lambda p: p["optimizer.lr"], FEWEST - 1)) is None
    assert importances(SPACE, candidates(lambda _: 0.5)) is None


def test_of_very_many_candidates_a_part_is_enough(monkeypatch):
    monkeypatch.setattr(importance, "MOST", 80)
    tried = candidates(lambda p: abs(np.log10(p["optimizer.lr"]) + 2), 120)
    assert importances(SPACE, tried[:80]) != importances(SPACE, tried)
    found = importances(SPACE, tried)
    assert found == importances(SPACE, tried)
    assert found["optimizer.lr"] > 0.8
