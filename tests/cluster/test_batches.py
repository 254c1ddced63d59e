"""How a worker groups its events into messages."""

from harness.cluster import ray_worker
from harness.cluster.ray_worker import batches
from harness.trial import Progress, Record, State


def progress(trial, epoch):
    return Progress(trial.id, ({"epoch": epoch},))


def grouped(monkeypatch, events, times):
    """Run `batches` with an interval of one second on a clock that reads these times."""
    clock = iter(times)
    monkeypatch.setattr(ray_worker.time, "monotonic", lambda: next(clock))
    return list(batches(events, 1.0))


def test_the_first_progress_leaves_at_once_and_later_points_are_merged(monkeypatch, make_trial):
    trial = make_trial()
    events = [progress(trial, epoch) for epoch in (1, 2, 3, 4)]
    # read when progress arrives, and once more when a message leaves
    messages = grouped(monkeypatch, events, [0.0, 0.0, 0.4, 0.8, 1.2, 1.2])
    assert [[event.points for event in message] for message in messages] == [
        [({"epoch": 1},)],
        [({"epoch": 2}, {"epoch": 3}, {"epoch": 4})],
    ]


def test_a_record_leaves_at_once_behind_the_progress_that_was_held(monkeypatch, make_trial):
    first, second = make_trial(0), make_trial(1)
    record = Record(first, State.COMPLETE)
    events = [progress(first, 1), progress(first, 2), record, progress(second, 1)]
    messages = grouped(monkeypatch, events, [0.0, 0.0, 0.1, 0.2, 0.3])
    assert messages == [
        [progress(first, 1)],
        [progress(first, 2), record],
        [progress(second, 1)],
    ]


def test_no_point_is_lost_or_doubled_whatever_the_times(monkeypatch, make_trial):
    trial = make_trial()
    events = [progress(trial, epoch) for epoch in range(1, 101)]
    messages = grouped(monkeypatch, events, (tick * 0.07 for tick in range(1000)))
    sent = [point["epoch"] for message in messages for event in message for point in event.points]
    assert sent == list(range(1, 101))
    assert len(messages) < 20


def test_the_epoch_of_a_pack_leaves_as_one_message(monkeypatch, make_trial):
    trials = [make_trial(seed) for seed in range(3)]
    events = [progress(trial, epoch) for epoch in (1, 2, 3) for trial in trials]
    ticks = [0.0, 0.0, 0.0, 0.0]  # the first trial's epoch 1 leaves; the two others wait
    ticks += [10.0, 10.0, 20.0, 20.0]  # only the last of the three asks for the time
    messages = grouped(monkeypatch, events, ticks)
    sent = [[len(event.points) for event in message] for message in messages]
    assert sent == [[1], [2, 2, 1], [1, 1, 1]]


def test_trials_that_rest_hold_nobody_up_for_long(monkeypatch, make_trial):
    running, resting = make_trial(0), make_trial(1)
    events = [progress(running, 1), progress(resting, 1)]
    events += [progress(running, epoch) for epoch in range(2, 8)]
    messages = grouped(monkeypatch, events, (float(tick) for tick in range(0, 100, 2)))
    assert max(len(event.points) for message in messages for event in message) <= 3
    assert sum(len(event.points) for message in messages for event in message) == len(events)
