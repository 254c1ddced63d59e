"""What every executor promises: the same suite for Ray and for its in-process twin."""

from dataclasses import replace

import pytest
from cluster_models import custom

from harness.cluster import Lost, Pack, UnknownDataError, UnknownProductsError
from harness.train import train
from harness.trial import Given, Phase, Progress, Record, State

PROBES = ({"name": "gradient_norms"}, {"name": "dead_units"})


def records(events):
    return {event.trial_id: event for event in events if isinstance(event, Record)}


def borrow(source):
    return {"from": source, "freeze": 1, "unfreeze_every": None, "rate_decay": 1.0}


def test_records_equal_those_of_the_engine_alone(executor, digits, make_trial, collect):
    deep = {**make_trial().workload["model"], "depth": 8, "activation": "gelu"}
    searched = (make_trial(0), make_trial(1, model=deep))
    confirmed = (make_trial(2, Phase.CONFIRMATION, PROBES),)
    packs = [Pack(searched), Pack(confirmed), Pack((make_trial(2, model=custom("linear")),))]
    for pack in packs:
        executor.submit(pack)
    found = records(collect(executor, 4))
    for pack in packs:
        data = digits.for_phase(pack.trials[0].phase)
        for expected in train(pack.trials, data, threads=1):
            if isinstance(expected, Record):
                assert expected.state is State.COMPLETE, expected.reason
                part = found[expected.trial_id].deterministic_part()
                assert part == expected.deterministic_part()


def test_the_failure_of_one_trial_leaves_the_next_alone(executor, make_trial, collect):
    pack = Pack((make_trial(0, model=custom("raising")), make_trial(1)))
    executor.submit(pack)
    executor.submit(Pack((make_trial(2),)))
    found = records(collect(executor, 3))
    failed = found[pack.trials[0].id]
    assert failed.state is State.FAILED
    assert "this model cannot be built" in failed.reason
    assert "cluster_models.py" in failed.reason
    assert [record.state for record in found.values()].count(State.COMPLETE) == 2


def test_progress_is_whole_in_order_and_before_the_record(executor, make_trial, collect, points):
    trials = (make_trial(0, epochs=7), make_trial(1, epochs=3))
    executor.submit(Pack(trials))
    events = collect(executor, 2)
    curves = points(events)
    found = records(events)
    for trial in trials:
        assert tuple(curves[trial.id]) == found[trial.id].curve
        order = [type(event) for event in events if event.trial_id == trial.id]
        assert order[-1] is Record
        assert set(order[:-1]) == {Progress}


def test_the_test_split_is_read_in_confirmation_only(executor, make_trial, collect):
    phases = {phase: make_trial(5, phase) for phase in (Phase.CONFIRMATION, Phase.SEARCH)}
    for trial in phases.values():
        executor.submit(Pack((trial,)))
    found = records(collect(executor, 2))
    assert "test.accuracy" in found[phases[Phase.CONFIRMATION].id].metrics
    assert not [key for key in found[phases[Phase.SEARCH].id].metrics if key.startswith("test")]


def test_a_pack_cannot_mix_phases_or_hold_a_trial_twice(make_trial):
    with pytest.raises(ValueError, match="one phase"):
        Pack((make_trial(0), make_trial(0, Phase.CONFIRMATION)))
    with pytest.raises(ValueError, match="twice"):
        Pack((make_trial(0), make_trial(0)))
    with pytest.raises(ValueError, match="one phase"):
        Pack(())


def test_data_that_were_never_provided_are_refused(executor, make_trial):
    stranger = replace(make_trial(0), data_fingerprint="0123")
    with pytest.raises(UnknownDataError, match="0123"):
        executor.submit(Pack((stranger,)))
    assert executor.events(0.1) == []


def test_weights_travel_from_pretraining_to_the_packs_that_start_from_them(
    executor, digits, make_trial, collect
):
    pretraining = make_trial(7, Phase.PRETRAINING, epochs=3)
    executor.submit(Pack((pretraining,)))
    (record,) = records(collect(executor, 1)).values()
    assert record.state is State.COMPLETE, record.reason
    assert not [key for key in record.metrics if key.startswith("test")]
    assert record.weights

    trials = [make_trial(seed, epochs=1, transfer=borrow(pretraining.id)) for seed in (0, 1)]
    with pytest.raises(UnknownProductsError, match=pretraining.id):
        executor.submit(Pack(tuple(trials)))
    given = Given(pretraining, digits.form, {"weights": record.weights})
    executor.provide_products((pretraining.id, ("weights",)), given)
    executor.provide_products((pretraining.id, ("weights",)), given)
    executor.submit(Pack(tuple(trials)))
    executor.submit(Pack((make_trial(0, epochs=1),)))  # starts from nothing
    found = records(collect(executor, 3))
    data = digits.for_phase(Phase.SEARCH)
    for expected in train(trials, data, given={"initial": given}):
        if isinstance(expected, Record):
            assert expected.state is State.COMPLETE, expected.reason
            part = found[expected.trial_id].deterministic_part()
            assert part == expected.deterministic_part()
    scratch = found[make_trial(0, epochs=1).id]
    assert scratch.state is State.COMPLETE
    assert scratch.metrics != found[trials[0].id].metrics


def test_a_pack_cannot_mix_sources(make_trial):
    with pytest.raises(ValueError, match="the same stages"):
        Pack((make_trial(0), make_trial(1, transfer=borrow("0123"))))


def test_an_attempt_is_passed_on_and_threads_are_kept(executor, make_trial, collect):
    executor.submit(Pack((make_trial(0),), attempt=3))
    (record,) = records(collect(executor, 1)).values()
    assert record.attempt == 3
    assert record.environment["threads"] == 1
    assert not [event for event in executor.events(0.0) if isinstance(event, Lost)]
