import sqlite3
import subprocess
import sys

import pytest

from harness.store import DATABASE, AssignedRecord, StoreError, conductor_lock, open_store
from harness.trial import Phase, Record, State, Trial


def record(seed, state=State.COMPLETE, **fields):
    return Record(Trial({"epochs": 1}, seed, Phase.SEARCH, "d", "c"), state, **fields)


def test_records_stay_and_only_failures_give_way(tmp_path):
    store = open_store(tmp_path)
    store.add_records([record(0, metrics={"a": 1.0}), record(1, State.FAILED, reason="no")])
    store.add_records([record(0, metrics={"a": 2.0}), record(1, attempt=2)])
    store.close()
    store = open_store(tmp_path)
    assert store.record(record(0).trial_id).metrics == {"a": 1.0}
    assert store.record(record(1).trial_id).attempt == 2
    assert set(store.states().values()) == {State.COMPLETE}
    assert store.record("nowhere") is None


def test_candidates_never_change_once_asked(tmp_path):
    store = open_store(tmp_path)
    store.searches.add_candidates("s", 0, [{"lr": 1}, {"lr": 2}])
    store.searches.add_candidates("s", 1, [{"lr": 9}, {"lr": 3}])
    assert store.searches.candidates("s") == [{"lr": 1}, {"lr": 2}, {"lr": 3}]


def test_assignments_join_their_records_in_order(tmp_path):
    store = open_store(tmp_path)
    number = store.start_execution("s", "quick", "h", {"a": 1}, {})
    assert store.latest_executions() == []
    store.add_records([record(1)])
    rows = [
        AssignedRecord("arm", Phase.SEARCH, None, {}, s, False, record(s).trial_id, None)
        for s in (1, 0)
    ]
    store.add_assignments(number, rows)
    found = list(store.assigned_records(number))
    assert [item.seed for item in found] == [1, 0]
    assert [item.record is None for item in found] == [False, True]
    assert [e.id for e in store.latest_executions()] == [number]


def test_what_claims_were_judged_by_stays(tmp_path):
    store = open_store(tmp_path)
    store.mark_judged("s", "quick", {"c": "one"})
    store.mark_judged("s", "quick", {"c": "two", "d": "x"})
    store.mark_judged("s", "quick", {"c": "one"})
    store.close()
    judged = open_store(tmp_path).judged("s", "quick")
    assert [row[:2] for row in judged] == [("c", "one"), ("c", "two"), ("d", "x")]
    assert judged[0][2] <= judged[1][2]
    assert open_store(tmp_path).judged("s", "full") == []


def test_a_committed_record_survives_kill_9(tmp_path):
    code = (
        "import os, sys, signal; sys.path.insert(0, 'tests')\n"
        "from test_store import record; from harness.store import open_store\n"
        "from pathlib import Path\n"
        f"store = open_store(Path({str(tmp_path)!r}))\n"
        "store.add_records([record(i) for i in range(50)])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False)
    assert ended.returncode == -9
    assert len(open_store(tmp_path).states()) == 50


def test_one_conductor_at_a_time(tmp_path):
    another = pytest.raises(StoreError, match="another run")
    with conductor_lock(tmp_path), another, conductor_lock(tmp_path):
        pass
    with conductor_lock(tmp_path):
        pass


def test_what_cannot_be_used_is_explained(tmp_path):
    with pytest.raises(StoreError, match="no results"):
        open_store(tmp_path / "none", create=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        open_store(tmp_path / "file" / "below")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / DATABASE).write_bytes(b"not a database, by far" * 100)
    with pytest.raises(StoreError, match="damaged"):
        open_store(damaged)
    assert (damaged / DATABASE).read_bytes().startswith(b"not a database")
    newer = tmp_path / "newer"
    open_store(newer).close()
    connection = sqlite3.connect(newer / DATABASE)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="newer version"):
        open_store(newer)


def test_a_full_disk_loses_nothing(tmp_path):
    """SQLite's own limit on the number of pages acts as the end of the disk."""
    store = open_store(tmp_path)
    store.add_records([record(i) for i in range(20)])
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(StoreError, match="no space left"):
        store.add_records([record(i, reason="x" * 1000) for i in range(20, 200)])
    store.close()
    assert len(open_store(tmp_path).states()) == 20
