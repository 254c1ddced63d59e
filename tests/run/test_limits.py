"""A run that may take or cost only so much, and what it says of money and carbon."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from harness import api
from harness.cli.app import run
from harness.run.limits import Limits, bill_of
from harness.run.outcome import RunOptions
from harness.run.study_run import run_study
from harness.study import InputError, load_study
from harness.study.prices import Prices
from harness.study.running import Resources

pytestmark = pytest.mark.usefixtures("unmirrored")

TINY = ["search.candidates=2", "seeds=5", "workload.epochs=1"]
PRICES = "prices={device_hour: 36, currency: EUR, grams_per_kwh: 500, watts: 1000}"


@pytest.fixture(autouse=True)
def no_prices_of_the_user(tmp_path, monkeypatch):
    """No test reads what whoever runs it has at home."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "harness" / "prices.yaml"


@pytest.mark.parametrize(
    ("resources", "hours"),
    [({}, 1), ({"cpus": 4}, 4), ({"cpus": 4, "gpus": 0.25}, 0.25), ({"gpus": 2, "workers": 3}, 6)],
)
def test_a_trial_is_charged_for_the_devices_that_it_holds(resources, hours):
    prices = Prices(device_hour=2.0, currency="EUR", grams_per_kwh=400.0, watts=250.0)
    given = Resources.model_validate(resources)
    bill = prices.bill(given, 3600.0, None)
    assert bill.money == pytest.approx(2 * hours)
    assert bill.grams == pytest.approx(0.25 * hours * 400)
    sensed = prices.bill(given, 3600.0, 3.6e6)
    assert (sensed.money, sensed.grams) == (bill.money, pytest.approx(400))
    assert str(prices.bill(Resources(), 3600.0 * 25, None)) == "50.00 EUR, 2.50 kg CO2"
    assert str(Prices().bill(given, 3600.0, 1.0)) == ""


def test_prices_are_the_studys_or_else_the_users(tiny, no_prices_of_the_user):
    plain = load_study(tiny).study
    assert bill_of(plain, {"worker_seconds": 3600.0}) is None
    no_prices_of_the_user.parent.mkdir(parents=True)
    no_prices_of_the_user.write_text("device_hour: 3\n")
    assert str(bill_of(plain, {"worker_seconds": 3600.0})) == "3.00 USD"
    own = load_study(tiny, None, [PRICES]).study
    assert str(bill_of(own, {"worker_seconds": 3600.0})) == "36.00 EUR, 500 g CO2"
    no_prices_of_the_user.write_text("gpu_hour: 3\n")
    with pytest.raises(InputError, match=r"prices\.yaml: gpu_hour: "):
        bill_of(plain, {"worker_seconds": 3600.0})


def test_prices_change_no_plan_and_no_trial(tiny):
    plain, priced = (api.plan(load_study(tiny, None, s)).plan for s in ((), (PRICES,)))
    assert plain.hash == priced.hash


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--max-time", "soon"], "--max-time: 'soon' is not a time such as"),
        (["--max-time", "0 h"], "--max-time: '0 h' is not"),
        (["--max-cost", "-1", "--set", PRICES], "--max-cost: -1 is not an amount"),
        (["--max-cost", "nan", "--set", PRICES], "--max-cost: nan is not an amount"),
        (["--since", "2026-11-30"], "--since goes with --max-cost"),
        (
            ["--max-cost", "5", "--since", "noon", "--set", PRICES],
            "--since: 'noon' is not a moment",
        ),
        (["--max-cost", "5"], "--max-cost: no price is known for tiny"),
        (["--max-cost", "5", "--set", "prices={watts: 3}"], "no price is known for tiny"),
    ],
)
def test_a_limit_that_cannot_be_kept_is_refused(tiny, tmp_path, capfd, options, said):
    results = tmp_path / "results"
    status = run(["run", str(tiny), "--in-process", "--results", str(results), *options])
    assert status == 2
    assert said in capfd.readouterr().err
    assert not results.exists()


class Clock:
    """A clock that goes on by a second whenever it is looked at."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


def claims(result):
    names = ("id", "verdict", "effect", "ci_low", "ci_high", "p_value", "trials")
    return [[verdict.to_dict()[name] for name in names] for verdict in result.verdicts]


@pytest.mark.parametrize("limit", ["time", "cost"])
def test_a_run_that_is_stopped_is_judged_and_goes_on(tiny, tmp_path, undrawn, limit):
    """It starts no trial beyond its limit, says so, and the next run ends as if it had not been."""
    loaded = load_study(tiny, None, [*TINY, PRICES])
    there = RunOptions(tmp_path / "results", tmp_path / "reports", in_process=True)
    limits = Limits(seconds=6.0, clock=Clock()) if limit == "time" else Limits(money=1e-4)
    stopped = run_study(loaded, replace(there, limits=limits))
    ran = sum(stopped.counts.values())
    assert 0 < ran < 20
    assert stopped.stopped.startswith(f"--max-{limit} ")
    assert {verdict.verdict for verdict in stopped.verdicts} == {"incomplete"}
    assert stopped.report is not None
    assert "execution" in stopped.integrity

    whole = run_study(loaded, there)
    assert whole.stopped == ""
    assert whole.counts["reused"] >= ran
    quiet = RunOptions(tmp_path / "quiet", tmp_path / "quiet-reports", in_process=True)
    assert claims(whole) == claims(run_study(loaded, quiet))
    page = (tmp_path / "reports" / "tiny" / "report.md").read_text()
    assert "All its trials cost" in page
    assert "at 36 EUR for an hour of a device" in page
    places = ["--results", str(there.results), "--out", str(there.reports)]
    assert run(["card", "tiny", *places]) == 0
    (card,) = (tmp_path / "reports" / "tiny").glob("card-*.md")
    assert "at 36 EUR for an hour of a device" in card.read_text()


def test_a_job_that_goes_on_has_one_limit_and_not_one_each_time(tiny, tmp_path, unwritten):
    """What was spent before the moment is not counted, and what was spent after it is."""
    settings = {name: json.loads(value) for name, _, value in (s.partition("=") for s in TINY)}
    loaded = api.load(tiny, None, {**settings, "prices": {"device_hour": 3.6e6}})
    places = {"results": tmp_path / "results", "reports": tmp_path / "reports"}
    first = api.run(loaded, in_process=True, max_cost=1e-3, **places)
    began = datetime.now(UTC)
    before = sum(first.counts.values())
    assert before > 0
    other = {**places, "in_process": True, "max_cost": 1e-3}
    again = api.run(loaded, since=began.isoformat(), **other)
    after = sum(again.counts.values())
    assert (again.counts["reused"], after > before) == (before, True)
    none = api.run(loaded, since=began.isoformat(), **other)
    assert none.counts["reused"] == sum(none.counts.values()) == after
    assert none.stopped.startswith("--max-cost ")


def test_the_command_says_that_it_is_not_done_and_begins_no_other_study(
    tiny, tmp_path, capfd, unwritten
):
    other = tmp_path / "other.yaml"
    other.write_text(tiny.read_text().replace("study: tiny", "study: other"))
    settings = [part for text in [*TINY, PRICES] for part in ("--set", text)]
    places = ["--results", str(tmp_path / "results"), "--out", str(tmp_path / "reports")]
    status = run(
        ["run", str(tiny), str(other), "--in-process", "--json", "--max-cost", "1e-6", *places,
         *settings]
    )  # fmt: skip
    said = capfd.readouterr()
    assert status == 1
    assert json.loads(said.out)["stopped"].startswith("--max-cost 0.00 EUR")
    assert "tiny (default) is not done" in said.err
    assert "not begun: other (default)" in said.err


def test_the_plan_says_what_the_rest_costs(tiny, tmp_path, capfd, unwritten):
    results = ["--results", str(tmp_path / "results")]
    settings = [part for text in TINY for part in ("--set", text)]
    places = [*results, *settings, "--set", "seeds=6", "--set", PRICES]
    assert run(["plan", str(tiny), *places]) == 0
    assert "EUR" not in capfd.readouterr().out  # how long trials take is unknown yet
    out = ["--out", str(tmp_path / "reports")]
    assert run(["run", str(tiny), "--in-process", *results, *out, *settings]) == 0
    capfd.readouterr()
    assert run(["plan", str(tiny), *places]) == 0
    assert "EUR" in capfd.readouterr().out
    assert run(["plan", str(tiny), "--json", *places]) == 0
    bill = json.loads(capfd.readouterr().out)["bill"]
    assert bill["currency"] == "EUR"
    assert bill["money"] > 0
    assert bill["co2_grams"] > 0
