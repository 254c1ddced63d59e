"""The mirror against a store that fails at random, before or after it has done what was asked."""

import contextlib
import itertools
import random
from pathlib import Path

import pytest
from tracking_examples import EPOCHS, INFO, execution, point, record, trial, verdict

from harness.track import runs
from harness.track.client import Found, Refused, TrackingStore
from harness.track.messages import ArmSummary, Ending
from harness.track.session import Session
from harness.trial import State


class FlakyStore(TrackingStore):
    """Runs in memory. Some calls fail before their effect, some after; some creations come late."""

    def __init__(self, randomness=None, rate=0.0, takes_batches=False):
        self.batches = takes_batches
        self.written = []
        self.runs_by_id = {}
        self.experiments = {}
        self.late = []
        self.random, self.rate = randomness, rate
        self.ids = itertools.count()
        self.uploads = []

    @property
    def takes_batches(self):
        return self.batches

    def _maybe(self, effect, late=False):
        if self.random is None or self.random.random() >= self.rate:
            return effect()
        kind = self.random.choice(["before", "after", "late"])
        if kind == "after":
            effect()
        elif kind == "late" and late:
            self.late.append(effect)
        raise ConnectionError("gone")

    def experiment(self, name):
        return self._maybe(lambda: (name, self.experiments.setdefault(name, {})))

    def tag_experiment(self, experiment_id, tags):
        self._maybe(lambda: self.experiments[experiment_id].update(tags))

    def runs(self, experiment_id, mirror="", *, running=False):
        def look():
            return [
                Found(run_id, run["status"], run["started"], dict(run["tags"]))
                for run_id, run in self.runs_by_id.items()
                if not run["removed"]
                and (not mirror or run["tags"]["mirror"] == mirror)
                and (not running or run["status"] == "RUNNING")
            ]

        self._perhaps_late()
        return self._maybe(look)

    def summaries(self, experiment_id, profile):
        def look():
            return [
                Found(run_id, run["status"], run["started"], dict(run["tags"]))
                for run_id, run in self.runs_by_id.items()
                if not run["removed"]
                and "summary" in run["tags"]
                and run["tags"]["profile"] == profile
            ]

        self.arrive_late()
        return self._maybe(look)

    def create(self, experiment_id, name, started, tags):
        def effect():
            run_id = f"run{next(self.ids)}"
            self.runs_by_id[run_id] = {
                "status": "RUNNING", "started": started, "ended": None, "tags": dict(tags),
                "points": {}, "params": {}, "removed": False, "data": 0,
            }  # fmt: skip
            return run_id

        return self._maybe(effect, late=True)

    def write(self, experiment_id, updates):
        """All or nothing, and nothing twice, as the keys of a database's tables see to it."""

        def effect():
            for update in updates:
                run = self.runs_by_id.get(update.run_id)
                assert run or not update.run_id, "an invented run"
                if run and (run["removed"] or set(run["tags"]) & set(update.tags)):
                    raise Refused("not active, or tagged already")
                for p in update.points if run else ():
                    if (p.time, p.value) in run["points"].get((p.name, p.step), ()):
                        raise Refused("there already")
            self.written.append(len(updates))
            return [self._put(update) for update in updates]

        for update, run_id in zip(updates, self._maybe(effect, late=True), strict=True):
            update.run_id = run_id

    def _put(self, update):
        run_id = update.run_id or f"run{next(self.ids)}"
        new = {
            "status": "RUNNING", "started": update.started, "ended": None, "tags": {},
            "points": {}, "params": {}, "removed": False, "data": 1,
        }  # fmt: skip
        run = self.runs_by_id.setdefault(run_id, new)
        for p in update.points:
            run["points"].setdefault((p.name, p.step), set()).add((p.time, p.value))
        run["tags"].update(update.tags)
        run["params"].update(update.params)
        if update.ended:
            run.update(status=update.status, ended=update.ended)
        return run_id

    def log(self, run_id, points=(), params=None, tags=None):
        if self.runs_by_id[run_id]["tags"]["role"] == "trial":
            self._perhaps_late()

        def effect():
            run = self.runs_by_id[run_id]
            if run["removed"]:
                raise Refused("not active")
            for p in points:
                run["points"].setdefault((p.name, p.step), set()).add((p.time, p.value))
            run["params"].update(params or {})
            run["tags"].update(tags or {})

        self._maybe(effect)

    def log_data(self, run_id, data):
        self._maybe(lambda: self.runs_by_id[run_id].update(data=1))

    def end(self, run_id, status, ended):
        self._maybe(lambda: self.runs_by_id[run_id].update(status=status, ended=ended))

    def remove(self, run_id):
        self._maybe(lambda: self.runs_by_id[run_id].update(removed=True))

    def upload(self, run_id, source, place):
        self._maybe(lambda: self.uploads.append((run_id, source, place)))

    # What a test asks afterwards.

    def _perhaps_late(self):
        if self.random and self.random.random() < 0.5:
            self.arrive_late()

    def arrive_late(self):
        for effect in self.late:
            with contextlib.suppress(Refused):  # it came too late: all of it is there already
                effect()
        self.late.clear()

    def active(self, role="trial"):
        return [
            r for r in self.runs_by_id.values() if not r["removed"] and r["tags"]["role"] == role
        ]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(runs, "SHORT", -1.0)
    monkeypatch.setattr(runs, "BETWEEN", -1.0)


def rounds(one, store, count=20_000):
    """Work until the session is closed; trouble is noted as the writer would."""
    for _ in range(count):
        try:
            one.work()
        except ConnectionError as error:
            one.trouble(str(error))
        if one.status.done:
            return
    raise AssertionError(f"not done: {one.status}")


def work(one):
    try:
        one.work()
    except ConnectionError as error:
        one.trouble(str(error))


def run_study(store, randomness, records, stop=1.0):
    """One execution; the conductor dies at a random moment if `stop` is less than 1."""
    run = execution(owner="here", started=1.0)
    one = Session(run, lambda: store)
    for entry in records:
        if randomness.random() > stop:
            return None
        one.begin(entry.trial, INFO, entry.started)
        for epoch in range(1, EPOCHS + 1):
            one.progress(entry.trial_id, [point(epoch)], entry.started)
            if randomness.random() < 0.4:
                work(one)
        if randomness.random() < 0.2:  # its worker was lost: the same epochs again
            one.begin(entry.trial, INFO, entry.started)
            one.progress(entry.trial_id, [point(1)], entry.started + 1)
        one.record(entry, INFO)
        if randomness.random() < 0.4:
            work(one)
    one.end(Ending("finished", 9.0, [verdict()], report=Path("report")))
    rounds(one, store)
    return one


def check(store, records):
    by_id = {}
    for run in store.active():
        assert run["tags"]["trial_id"] not in by_id, "doubled"
        by_id[run["tags"]["trial_id"]] = run
    assert set(by_id) == {one.trial_id for one in records}
    for one in records:
        run = by_id[one.trial_id]
        assert run["status"] == runs.RUN_STATUS[one.state]
        assert run["tags"]["state"] == one.state.value
        expected = {(p.name, p.step): p.value for p in runs.record_points(one)}
        assert {at: {v for _, v in found} for at, found in run["points"].items()} == {
            at: {value} for at, value in expected.items()
        }
        assert all(len(found) == 1 for found in run["points"].values()), "a point stands twice"
        assert run["params"]["activation"] == "relu"
        assert run["data"] == 1
        assert run["tags"][runs.PARENT_TAG] in store.runs_by_id
    assert all(run["status"] != "RUNNING" for run in store.active("execution"))


@pytest.mark.parametrize("batches", [False, True])
@pytest.mark.parametrize("seed", range(50))
def test_trouble_and_dead_conductors_neither_lose_nor_double(seed, batches):
    randomness = random.Random(seed)
    store = FlakyStore(randomness, randomness.choice([0.0, 0.05, 0.3]), batches)
    states = randomness.choices(list(State), k=6)
    records = [record(trial(n), state) for n, state in enumerate(states)]
    for _ in range(2):
        run_study(store, randomness, records, stop=0.9)
    run_study(store, randomness, records)
    store.arrive_late()
    store.rate = 0.0
    one = run_study(store, random.Random(0), [])
    assert one.status.done
    again = Session(execution(owner="here"), lambda: store)
    for entry in records:
        again.record(entry, INFO)
    again.end(Ending("finished", 9.0))
    rounds(again, store)
    assert again.status.present == len(records), again.status
    check(store, records)


@pytest.mark.parametrize("batches", [False, True])
@pytest.mark.parametrize("seed", range(50))
def test_trouble_within_one_execution_leaves_nothing_for_the_next(seed, batches):
    randomness = random.Random(seed)
    store = FlakyStore(randomness, randomness.choice([0.1, 0.3, 0.5]), batches)
    records = [record(trial(n), state) for n, state in enumerate(State)]
    one = run_study(store, randomness, records)
    assert (one.status.sent, one.status.present, one.status.pending) == (len(records), 0, 0)
    check(store, records)
    assert len(store.active("execution")) == 1


@pytest.mark.parametrize("batches", [False, True])
@pytest.mark.parametrize("trouble", [False, True])
def test_a_failure_that_is_cured_in_the_same_execution_is_replaced(trouble, batches):
    store = FlakyStore(takes_batches=batches)
    of = trial(1)
    one = Session(execution(), lambda: store)
    one.record(record(of, State.FAILED), INFO)
    one.work()
    one.begin(of, INFO, 1.0)
    one.progress(of.id, [point(1)], 1.0)
    one.work()
    if trouble:
        one.trouble("look again")
        one.work()
    one.record(record(of), INFO)
    one.end(Ending("finished", 9.0))
    rounds(one, store)
    check(store, [record(of)])


def test_a_refused_run_that_is_gone_does_not_keep_the_execution_open():
    store = FlakyStore()
    one = Session(execution(), lambda: store)
    of = record(trial(1))
    one.begin(of.trial, INFO, 1.0)
    one.work()
    log_data, store.log_data = store.log_data, None

    def refusing(*_):
        raise Refused("no")

    store.log_data = refusing
    one.begin(trial(2), INFO, 1.0)
    for _ in range(5):
        one.work()
    store.log_data = log_data
    for run in store.active():
        run["removed"] = True
    one.end(Ending("finished", 9.0))
    for _ in range(5):
        try:
            one.work()
        except Refused as refusal:
            one.trouble(str(refusal))
    assert one.status.done


def test_a_live_run_of_another_results_folder_is_left_alone(monkeypatch):
    store = FlakyStore()
    theirs = Session(execution(owner="there", started=1.0), lambda: store)
    theirs.begin(trial(1), INFO, 1.0)
    theirs.work()
    ours = Session(execution(owner="here", started=1.0), lambda: store)
    ours.end(Ending("finished", 9.0))
    rounds(ours, store)
    assert [run["status"] for run in store.active()] == ["RUNNING"]
    for parent in store.active("execution"):
        parent["tags"]["heartbeat"] = "0"  # silent since 1970
    later = Session(execution(owner="here", started=1.0), lambda: store)
    later.end(Ending("finished", 9.0))
    rounds(later, store)
    assert [run["status"] for run in store.active()] == ["KILLED"]
    assert {run["status"] for run in store.active("execution")} == {"KILLED", "FINISHED"}


def test_what_a_slow_server_began_for_a_killed_conductor_does_not_run_for_ever():
    store = FlakyStore()
    killed = Session(execution(owner="here", started=1.0), lambda: store)
    killed.work()
    present = Session(execution(owner="here", started=2.0), lambda: store)
    present.work()  # it has looked at what there is
    killed.begin(trial(1), INFO, 1.0)
    killed._live[trial(1).id].seen = 0.0
    killed.work()  # as if its last request was answered only now
    assert [run["status"] for run in store.active()] == ["RUNNING"]
    present.end(Ending("finished", 9.0))
    rounds(present, store)
    assert [run["status"] for run in store.active()] == ["KILLED"]


@pytest.mark.parametrize("batches", [False, True])
def test_a_failure_that_was_cured_is_replaced(batches):
    store = FlakyStore(takes_batches=batches)
    of = trial(1)
    run_study(store, random.Random(0), [record(of, State.FAILED)])
    run_study(store, random.Random(0), [record(of)])
    check(store, [record(of)])


def test_what_the_store_refuses_does_not_hold_up_the_rest():
    store = FlakyStore()
    bad = record(trial(1))
    log = store.log

    def refusing(run_id, points=(), params=None, tags=None):
        if store.runs_by_id[run_id]["tags"].get("trial_id") == bad.trial_id and points:
            raise Refused("INVALID_PARAMETER_VALUE: no")
        log(run_id, points, params, tags)

    store.log = refusing
    good = record(trial(2))
    one = run_study(store, random.Random(0), [bad, good])
    assert (one.status.sent, one.status.pending, one.status.done) == (1, 1, True)
    assert "INVALID_PARAMETER_VALUE" in one.status.error
    assert all(run["status"] != "RUNNING" for run in store.active())


@pytest.mark.parametrize("batches", [False, True])
def test_a_run_that_someone_deleted_while_it_was_live_comes_back(batches):
    store = FlakyStore(takes_batches=batches)
    one = Session(execution(), lambda: store)
    of = record(trial(1))
    one.begin(of.trial, INFO, 1.0)
    one.progress(of.trial_id, [point(1)], 1.0)
    one.work()
    next(iter(store.active()))["removed"] = True
    one.record(of, INFO)
    one.end(Ending("finished", 9.0))
    rounds(one, store)
    check(store, [of])


def test_an_interrupted_execution_leaves_nothing_running():
    store = FlakyStore()
    one = Session(execution(), lambda: store)
    one.begin(trial(1), INFO, 1.0)
    one.work()
    one.end(Ending("interrupted", 9.0))
    rounds(one, store)
    assert [run["status"] for run in store.active()] == ["KILLED"]
    assert [run["status"] for run in store.active("execution")] == ["KILLED"]
    assert store.active()[0]["tags"]["state"] == "lost"


def test_a_report_that_cannot_be_stored_does_not_keep_the_execution_open():
    store = FlakyStore()

    def upload(*_):
        raise ConnectionError("the artifact store is full")

    store.upload = upload
    one = run_study(store, random.Random(0), [record(trial(1))])
    assert one.status.done
    assert "full" in one.status.error
    check(store, [record(trial(1))])


def test_profiles_keep_their_verdicts_in_the_description():
    store = FlakyStore()
    for profile in ("quick", "full"):
        one = Session(execution(profile=profile), lambda: store)
        one.end(Ending("finished", 9.0, [verdict()]))
        rounds(one, store)
    text = store.experiments["activations"]["mlflow.note.content"]
    assert text.startswith("Which one?")
    assert "Profile quick" in text
    assert "Profile full" in text


ARMS = [
    ArmSummary("relu", {"activation": "relu"}, {"test.accuracy": 0.75}, (0.5, 1.0), 5, "5", {}),
    ArmSummary("tanh", {}, {}, None, 0, "0 of 5, 5 diverged", {"relu-wins": "incomplete"}),
]


def summed_up(store, profile="quick"):
    runs = [*store.active("arm"), *store.active("claim")]
    return [run for run in runs if run["tags"]["profile"] == profile]


@pytest.mark.parametrize("takes_batches", [True, False])
@pytest.mark.parametrize("seed", range(12))
def test_each_arm_and_claim_has_one_run_whatever_goes_wrong(seed, takes_batches):
    store = FlakyStore(random.Random(seed), 0.15, takes_batches)
    for profile in ("quick", "full", "quick"):
        one = Session(execution(profile=profile), lambda: store)
        one.end(Ending("finished", 9.0, [verdict()], ARMS))
        rounds(one, store)
    for profile in ("quick", "full"):
        found = {run["tags"].get("arm", "claim"): run for run in summed_up(store, profile)}
        assert sorted(found) == ["claim", "relu", "tanh"]
        assert len(summed_up(store, profile)) == 3
        assert {run["status"] for run in found.values()} == {"FINISHED"}
        relu = {name: {v for _, v in said} for (name, _), said in found["relu"]["points"].items()}
        assert relu["test/accuracy"] == {0.75}
        assert (relu["interval/low"], relu["interval/high"]) == ({0.5}, {1.0})
        assert found["tanh"]["tags"]["claims"] == "relu-wins: incomplete"
        assert found["claim"]["tags"]["verdict"] == "supported"


def test_an_execution_that_was_interrupted_leaves_the_arms_as_they_were():
    store = FlakyStore(takes_batches=True)
    for ending in (Ending("finished", 9.0, [verdict()], ARMS), Ending("interrupted", 10.0)):
        one = Session(execution(), lambda: store)
        one.end(ending)
        rounds(one, store)
    assert len(summed_up(store)) == 3
    note = store.experiments["activations"]["mlflow.note.content"]
    assert "[Arms of profile quick](#/experiments/activations/runs?viewStateShareKey=arms-" in note


def test_trials_that_end_together_are_written_together():
    store = FlakyStore(takes_batches=True)
    records = [record(trial(n)) for n in range(250)]
    one = Session(execution(), lambda: store)
    for of in records:
        one.record(of, INFO)
    one.end(Ending("finished", 9.0))
    rounds(one, store)
    assert store.written == [100, 100, 50]
    assert one.status.sent == 250
    check(store, records)


def test_what_is_refused_in_company_is_offered_alone():
    store = FlakyStore(takes_batches=True)
    records = [record(trial(n)) for n in range(4)]
    write, log = store.write, store.log

    def unwilling(experiment_id, updates):
        if any(update.params["seed"] == "2" for update in updates):
            raise Refused("no")
        write(experiment_id, updates)

    def refusing(run_id, points=(), params=None, tags=None):
        if store.runs_by_id[run_id]["tags"].get("seed") == "2" and points:
            raise Refused("INVALID_PARAMETER_VALUE: no")
        log(run_id, points, params, tags)

    store.write, store.log = unwilling, refusing
    one = Session(execution(), lambda: store)
    for of in records:
        one.record(of, INFO)
    one.end(Ending("finished", 9.0))
    rounds(one, store)
    assert (one.status.sent, one.status.pending) == (3, 1)
    assert store.written == []
    assert all(run["status"] != "RUNNING" for run in store.active())


def test_a_server_is_asked_four_times_for_a_short_trial():
    store = FlakyStore()
    calls = []

    def count(name, call):
        def counted(*args, **kwargs):
            calls.append(name)
            return call(*args, **kwargs)

        setattr(store, name, counted)

    for name in ("create", "log", "log_data", "end"):
        count(name, getattr(store, name))
    one = Session(execution(), lambda: store)
    one.work()
    calls.clear()
    of = record(trial(1))
    one.record(of, INFO)
    one.work()
    assert calls == ["create", "log", "log_data", "end"]


def test_what_fails_in_company_is_offered_alone():
    store = FlakyStore(takes_batches=True)
    asked = []

    def failing(experiment_id, updates):
        asked.append(len(updates))
        raise ConnectionError("only in company")

    store.write = failing
    records = [record(trial(n)) for n in range(3)]
    one = Session(execution(), lambda: store)
    for of in records:
        one.record(of, INFO)
    one.end(Ending("finished", 9.0))
    rounds(one, store)
    assert asked == [3]
    assert one.status.sent == 3
    check(store, records)


def test_a_watched_trial_needs_no_calls_of_its_own():
    store = FlakyStore(takes_batches=True)
    one = Session(execution(), lambda: store)
    one.work()
    store.create = store.log_data = None
    log, store.log = store.log, None
    of = record(trial(1))
    one.begin(of.trial, INFO, of.started)
    for epoch in range(1, EPOCHS):
        one.progress(of.trial_id, [point(epoch)], of.started)
        one.work()
        assert [run["status"] for run in store.active()] == ["RUNNING"]
        assert ("train/loss", epoch) in store.active()[0]["points"]
    one.record(of, INFO)
    one.work()
    assert len(store.written) == EPOCHS
    store.log = log
    one.end(Ending("finished", 9.0))
    rounds(one, store)
    check(store, [of])
