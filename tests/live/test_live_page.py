"""What the live page reads and says, without a browser; and who may ask for it."""

import http.client
import socket
import sqlite3
import threading
import time

import pytest
from live_examples import Command, lay_out
from sharing import TINY

from harness import api
from harness.cli.app import run
from harness.errors import InputError
from harness.live import LIVE_PORT, answers, read_status, serve
from harness.live.watch import Watch
from harness.report.render import live_page
from harness.store import StoreError, conductor_lock, conductor_of, open_store, open_to_read

pytestmark = pytest.mark.usefixtures("unreported")

WIDTHS = {
    "study": "widths",
    "question": "Is wider better?",
    "workload": {"data": "digits", "model": {"name": "mlp", "depth": 1}, "epochs": 2},
    "factors": {"width": {"path": "model.width", "levels": [2, 8, 32]}},
    "seeds": 6,
    "simple_baseline": "none",
    "claims": [
        {
            "id": "wider",
            "says": "32 units beat 2",
            "metric": "test.accuracy",
            "contrast": {"width": [32, 2]},
            "greater_by": 0.05,
        }
    ],
}


def where(folder):
    return {"results": folder / "results", "reports": folder / "reports", "in_process": True}


def shown(folder, run=None):
    view = Watch(folder / "results").view(run)
    live_page(view, "nonce")  # it can be drawn, whatever there is to say
    return view


# --- states -------------------------------------------------------------------------------------
def test_before_any_run_the_page_says_so(tmp_path):
    assert shown(tmp_path).state == "none"
    with conductor_lock(tmp_path / "results"):
        assert "being prepared" in shown(tmp_path).detail


def test_a_run_lives_as_long_as_its_process(tmp_path, unmirrored, stopped_after):
    stopped_after(WIDTHS, tmp_path, 3)
    with conductor_lock(tmp_path / "results"):
        store = open_store(tmp_path / "results")
        old = store.executions()[0]
        store.start_execution(old.study, old.profile, "", old.declaration, {})
        assert shown(tmp_path).state == "running"
        assert shown(tmp_path, 1).state == "interrupted"
        assert not shown(tmp_path, 1).current
    (tmp_path / "results" / "conductor.lock").write_text("99999999")
    gone = shown(tmp_path)
    assert gone.state == "gone"
    assert "Give the same command again" in gone.detail


def test_the_next_run_is_no_life_of_the_last(tmp_path, unmirrored, stopped_after):
    """A conductor that began after an execution, which was killed, has not begun its own yet."""
    stopped_after(WIDTHS, tmp_path, 3)
    store = open_store(tmp_path / "results")
    old = store.executions()[0]
    store.start_execution(old.study, old.profile, "", old.declaration, {})
    time.sleep(0.05)
    with conductor_lock(tmp_path / "results"):
        view = shown(tmp_path)
    assert view.state == "gone"
    assert "being prepared" in view.detail


def test_a_number_that_another_process_has_now_is_no_conductor(tmp_path):
    import os

    lock = tmp_path / "conductor.lock"
    lock.write_text("1")
    os.utime(lock, (1.0, 1.0))  # long before any process of today began
    assert conductor_of(tmp_path) is None
    with conductor_lock(tmp_path):
        assert conductor_of(tmp_path)[0] == os.getpid()


def test_a_damaged_record_is_told(tmp_path, unmirrored, stopped_after):
    stopped_after(WIDTHS, tmp_path, 9, live=True)
    with sqlite3.connect(tmp_path / "results" / "harness.db") as database:
        database.execute("UPDATE records SET record = replace(record, '0.', '1.')")
    view = shown(tmp_path)
    assert view.headline == "The results cannot be read"
    assert "is damaged" in view.detail


# --- numbers ------------------------------------------------------------------------------------
def test_progress_effects_and_costs_are_those_of_the_records(tmp_path, unmirrored, stopped_after):
    stopped_after(WIDTHS, tmp_path, 14, live=True)
    view = shown(tmp_path)
    assert [(bar.phase, bar.done, bar.planned) for bar in view.bars] == [("confirmation", 14, 18)]
    assert sum(bar.done for arm in view.arms for bar in arm.bars) == 14
    frame = api.judge(["widths"], results=tmp_path / "results")[0].evidence
    table = frame[frame["state"] == "complete"].pivot_table(
        index="seed", columns="level.width", values="test.accuracy"
    )
    paired = (table[32] - table[2]).dropna()
    (effect,) = view.effects
    assert effect.seeds == len(paired) < 6
    assert float(effect.value.replace("−", "-")) == pytest.approx(paired.mean(), rel=0.01)
    assert effect.of == 6
    assert view.devices == [("CPU", 14)]
    assert view.verdicts == ()


def test_arms_stay_paired_whichever_trials_ended_first(tmp_path, unmirrored, stopped_after):
    """Only seeds count that both sides have: here the first arm is two seeds ahead."""
    stopped_after(WIDTHS, tmp_path, 18, live=True)
    frame = api.judge(["widths"], results=tmp_path / "results")[0].evidence
    gone = frame[(frame["level.width"] == 32) & (frame["seed"].isin([0, 3]))]["trial_id"]
    with sqlite3.connect(tmp_path / "results" / "harness.db") as database:
        database.executemany("DELETE FROM records WHERE trial_id = ?", [(i,) for i in gone])
    left = frame[~frame["seed"].isin([0, 3])]
    table = left.pivot_table(index="seed", columns="level.width", values="test.accuracy")
    (effect,) = shown(tmp_path).effects
    assert effect.seeds == 4
    assert float(effect.value) == pytest.approx((table[32] - table[2]).mean(), rel=0.01)


def test_effects_are_shown_of_live_runs_alone(tmp_path, unmirrored, stopped_after):
    stopped_after(WIDTHS, tmp_path, 14)
    view = shown(tmp_path)
    assert view.effects == ()
    assert "without --live" in view.effects_hidden
    assert view.bars[0].done == 14


def test_a_study_with_searches_parts_and_failures_is_drawn(tmp_path, tiny, unmirrored):
    assert "all_of" in TINY
    api.run(tiny, **where(tmp_path), live=True)
    view = shown(tmp_path)
    assert view.state == "finished"
    assert [(bar.phase, bar.done) for bar in view.bars] == [("search", 12), ("confirmation", 25)]
    assert view.effects == ()
    assert [words for _, words in view.verdicts] == [
        verdict.words for verdict in api.judge(["tiny"], results=tmp_path / "results")[0].verdicts
    ]
    assert view.report.endswith("reports/tiny/index.html")


def test_names_and_traces_are_text(ended):
    view = shown(ended)
    assert view.failures[0].line == "RuntimeError: a layer of <b>my own</b> & its mistake"
    page = live_page(view, "nonce")
    assert "<b>my own</b>" not in page
    assert "<i>width</i>" not in page
    assert "Traceback" in page


def test_what_runs_now_is_told_and_forgotten(tmp_path, unmirrored, stopped_after):
    stopped_after(WIDTHS, tmp_path, 3, live=True)
    told = read_status(tmp_path / "results")
    assert told.execution == 1
    assert told.slots == 1
    (tmp_path / "results" / "live.json").write_text("{")
    assert read_status(tmp_path / "results") is None
    assert list(shown(tmp_path).running) == []


# --- a look is a look ---------------------------------------------------------------------------
@pytest.mark.parametrize("live", [True, False])
def test_seeds_changed_after_a_page_showed_effects_are_told(
    tmp_path, unmirrored, stopped_after, live
):
    """Whoever saw effects, stopped, and asked for other seeds, had a look."""
    stopped_after(WIDTHS, tmp_path, 18, live=live)
    fewer = api.run({**WIDTHS, "seeds": 5}, **where(tmp_path))["wider"]
    assert bool(fewer.exploratory) == live
    if live:
        assert "first seen with 6 seeds" in fewer.exploratory


def test_going_on_unchanged_costs_nothing(tmp_path, unmirrored, stopped_after):
    stopped_after(WIDTHS, tmp_path, 14, live=True)
    resumed = api.run(WIDTHS, **where(tmp_path), live=True)
    alone = api.run(WIDTHS, **where(tmp_path / "other"))
    for field in ("verdict", "effect", "ci_low", "ci_high", "p_corrected", "exploratory"):
        assert getattr(resumed["wider"], field) == getattr(alone["wider"], field)


# --- the store is only read ---------------------------------------------------------------------
def test_nothing_can_be_written(tmp_path, unmirrored, stopped_after):
    stopped_after(WIDTHS, tmp_path, 3)
    store = open_to_read(tmp_path / "results")
    with pytest.raises(StoreError, match="cannot be written"):
        store.add_attempt("x", 1, "y")
    assert len(store.states()) == 3


def test_results_of_another_version_are_named(tmp_path, unmirrored, stopped_after):
    stopped_after(WIDTHS, tmp_path, 3)
    with sqlite3.connect(tmp_path / "results" / "harness.db") as database:
        database.execute("PRAGMA user_version = 2")
    with pytest.raises(StoreError, match="another version"):
        open_to_read(tmp_path / "results")


# --- who may ask --------------------------------------------------------------------------------
@pytest.fixture
def served(tmp_path):
    told, known = [], threading.Event()

    def tell(address):
        told.append(address)
        known.set()

    thread = threading.Thread(
        target=serve, args=(tmp_path / "results", 0), kwargs={"tell": tell}, daemon=True
    )
    thread.start()
    known.wait()
    return int(told[0].rstrip("/").rpartition(":")[2])


def asked(port, path="/", method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer, answer.read().decode()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:9999"}, 200),  # a tunnel
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:80"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost:9999"}, 200),
    ],
)
def test_only_loopback_is_answered(served, headers, status):
    answer, text = asked(served, **headers)
    assert answer.status == status
    assert ("Live page" in text) == (status == 200)


def test_a_page_may_load_and_do_nothing_else(served):
    answer, text = asked(served)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'nonce-")
    assert "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"
    for foreign in ("http://", "https://", "//cdn"):
        assert foreign not in text
    assert '<noscript><meta http-equiv="refresh"' in text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/", 501),
        ("DELETE", "/", 501),
        ("GET", "/../harness.db", 404),
        ("GET", "/results/harness.db", 404),
        ("GET", "/?run=1;drop", 404),
        ("GET", "/?run=7", 200),
        ("HEAD", "/", 200),
    ],
)
def test_nothing_else_is_served(served, method, path, status):
    assert asked(served, path, method)[0].status == status


def test_it_listens_on_loopback_only(served):
    import psutil

    listening = [c.laddr for c in psutil.Process().net_connections() if c.status == "LISTEN"]
    assert [place.ip for place in listening if place.port == served] == ["127.0.0.1"]


def test_a_page_of_other_results_is_not_taken_for_ours(served, tmp_path):
    assert answers(tmp_path / "results", served)
    assert not answers(tmp_path / "others", served)


def test_a_busy_port_is_named(tmp_path):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        with pytest.raises(InputError, match="is in use: name another one"):
            serve(tmp_path, busy.getsockname()[1], tell=print)
    with pytest.raises(InputError, match="from 0 to 65535"):
        serve(tmp_path, 70_000, tell=print)


def test_a_busy_port_is_told_before_anything_is_trained(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = str(busy.getsockname()[1])
        assert run(["run", str(lay_out(tmp_path)), "--live", "--live-port", port]) == 2
    assert f"port {port} is in use" in capfd.readouterr().err
    assert not (tmp_path / "results" / "harness.db").exists()


@pytest.mark.slow
def test_the_interface_of_mlflow_offers_it_and_takes_it_along(tmp_path, free_port):
    ui = Command(tmp_path, "ui", "--port", "0", "--live-port", free_port)
    assert ui.address() == f"http://127.0.0.1:{free_port}/"
    assert answers(tmp_path / "results", int(free_port))
    assert "MLflow UI: http" in ui.process.stdout.readline()
    assert ui.end() in (0, 130)
    assert not answers(tmp_path / "results", int(free_port))
    assert LIVE_PORT == 8420  # as the documentation says
