"""Forecasts and sums of what trials cost; what is unknown is absent, and never a zero."""

import json
from types import SimpleNamespace

import pytest

from harness.cli.app import run
from harness.cli.tally import spent
from harness.run.outcome import Ledger, forecast


def record(seconds, **cost):
    return SimpleNamespace(cost={"worker_seconds": seconds, **cost}, started=0.0, ended=99.0)


def test_a_forecast_follows_what_trials_took_from_the_first_one_on():
    assert forecast(10.0, []) == {}
    assert forecast(10.0, [(record(4.0, joules=30.0), 2.0)]) == {"worker_seconds": 20.0}
    assert forecast(10.0, [(record(4.0, joules=30.0), 2.0)] * 5) == pytest.approx(
        {"worker_seconds": 20.0, "joules": 150.0}
    )


def test_records_without_joules_do_not_count_as_zero():
    mixed = [(record(4.0, joules=30.0), 2.0)] * 5 + [(record(4.0), 2.0)] * 20
    assert forecast(10.0, mixed)["joules"] == pytest.approx(150.0)
    ledger = Ledger()
    ledger.add("relu", record(2.0, joules=10.0))
    ledger.add("tanh", record(3.0))
    costs = ledger.costs({"worker_seconds": 4.0})
    assert costs.spent == {"worker_seconds": 5.0}
    assert costs.by_arm["relu"] == {"worker_seconds": 2.0, "joules": 10.0}
    assert costs.by_arm["tanh"] == {"worker_seconds": 3.0}


def test_nothing_was_spent_where_nothing_ran():
    assert Ledger().costs({"worker_seconds": 1.0}).spent == {}


def test_old_records_count_by_their_time():
    old = SimpleNamespace(cost={"seconds": 1.0}, started=10.0, ended=12.0)
    assert forecast(10.0, [(old, 1.0)] * 5) == pytest.approx({"worker_seconds": 20.0})


@pytest.mark.usefixtures("unmirrored", "unreported")
def test_plan_forecasts_and_run_says_what_was_spent(tiny, tmp_path, capsys):
    where = ["--results", str(tmp_path / "results")]
    fast = [str(tiny), "--set", "workload.epochs=1", "--json", *where]
    assert run(["plan", *fast]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert (planned["cost"], planned["seconds_on_one_worker"]) == ({}, None)
    assert run(["plan", *(word for word in fast if word != "--json")]) == 0
    assert "how long they take is unknown until the first" in capsys.readouterr().out
    assert run(["run", *fast, "--in-process", "--out", str(tmp_path / "reports")]) == 0
    cost = json.loads(capsys.readouterr().out)["cost"]
    assert cost["forecast"] == {}
    assert set(cost["by_arm"]) == {"relu", "tanh", "sigmoid", "linear", "simple-baseline"}
    every = sum(arm["worker_seconds"] for arm in cost["by_arm"].values())
    assert cost["spent"]["worker_seconds"] == pytest.approx(every, abs=0.01)
    assert run(["plan", *fast[:-2], *where, "--set", "seeds=9"]) == 0
    more = json.loads(capsys.readouterr().out)["cost"]["worker_seconds"]
    assert 0 < more < cost["spent"]["worker_seconds"] * 3


@pytest.mark.parametrize(
    ("unit", "value", "said"),
    [
        ("joules", 12.34, "12.3 J"),
        ("joules", 4321, "4.32 kJ"),
        ("gpu_seconds", 61, "1 min 01 s of GPU"),
    ],
)
def test_amounts_have_units(unit, value, said):
    assert spent(unit, value) == said
