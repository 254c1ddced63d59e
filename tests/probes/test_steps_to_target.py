"""Steps until a target: whole epochs of steps, and what never reaches it comes after its end."""

import pytest

from harness import api

pytestmark = pytest.mark.usefixtures("unmirrored", "undrawn")
STUDY = {
    "study": "steps", "question": "q", "seeds": 2, "simple_baseline": "none",
    "workload": {
        "data": {"name": "digits", "limit": 200},
        "model": {"name": "mlp", "width": 32}, "optimizer": {"name": "adam", "lr": 0.01},
        "epochs": 6, "batch_size": 32,
    },
    "factors": {"model": {"path": "model.depth", "levels": [1]}},
}  # fmt: skip


def rows(tmp_path, target, monkeypatch):
    monkeypatch.chdir(tmp_path)
    probe = {"name": "steps_to_target", "metric": "validation.accuracy", "target": target}
    done = api.run(api.load(STUDY | {"probes": [probe]}), in_process=True)
    return done.evidence, done.curves


def test_steps_are_those_of_the_epoch_that_reaches_it(tmp_path, monkeypatch):
    trials, curves = rows(tmp_path, 0.5, monkeypatch)
    for _, trial in trials.iterrows():
        mine = curves[curves["seed"] == trial["seed"]].sort_values("epoch")
        epoch = next(e for e, v in enumerate(mine["validation.accuracy"], 1) if v >= 0.5)
        assert trial["probe.steps_to_target"] == epoch * trial["cost.steps"] / 6
        assert trial["probe.reached_target"] == 1


def test_a_target_that_is_not_reached_counts_an_epoch_after_the_end(tmp_path, monkeypatch):
    trials, _ = rows(tmp_path, 1.01, monkeypatch)
    assert (trials["probe.steps_to_target"] == 7 * trials["cost.steps"] / 6).all()
    assert (trials["probe.reached_target"] == 0).all()
