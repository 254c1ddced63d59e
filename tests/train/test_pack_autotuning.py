"""How many at once: the rule, given times; the times themselves are the benchmarks' business."""

import pytest
import torch

from harness.models import UNDECLARED
from harness.tasks import usual_task
from harness.tasks.classification import Classes
from harness.train import pack_autotuning
from harness.train.device_data import DeviceData
from harness.train.pack import PackContext
from harness.train.pack_autotuning import choose_pack_size
from harness.train.packed_program import program_for
from harness.train.single_program import SingleProgram


@pytest.fixture
def choose(make_trial, blobs, monkeypatch):
    """Choose for trials whose step takes the given time (seconds) by size of the pack."""

    def run(seconds, count=64, epochs=10_000, largest=64, memory=10**6):
        trials = [make_trial(seed, epochs=epochs) for seed in range(count)]
        data = DeviceData(blobs.examples, torch.device("cpu"))
        program = program_for(trials[0], blobs.form, data.device)
        pack_autotuning._timings.clear()
        measured = []

        def measure(some, _context):
            measured.append(len(some))
            return seconds(len(some)) / len(some)

        monkeypatch.setattr(pack_autotuning, "measure", measure)
        monkeypatch.setattr(pack_autotuning, "members_that_fit", lambda *_: memory)
        found = choose_pack_size(trials, PackContext(data, None, blobs.form, program), largest)
        return found.size, found.reason, measured

    return run


def test_where_overhead_dominates_the_largest_pack_is_best(choose):
    size, reason, measured = choose(lambda members: 3e-4 + 2e-5 * members)
    assert size == 64
    assert reason == "64 at most: 25 µs a step in packs of 64, 320 µs alone"
    assert measured == [1, 8, 32, 64]


def test_where_arithmetic_dominates_nothing_is_packed(choose):
    size, reason, measured = choose(lambda members: 1e-2 * members)
    assert size == 1
    assert reason.startswith("alone: 10000 µs a step in packs of")
    assert measured == [1, 8, 32, 64]


def test_a_gain_too_small_to_be_sure_of_is_left(choose):
    assert choose(lambda members: 1e-2 * members * (1 if members == 1 else 0.96))[0] == 1


def test_the_search_ends_where_packs_get_slower(choose):
    size, _, measured = choose(lambda members: 1e-3 * members * {1: 1, 8: 0.5}.get(members, 2))
    assert (size, measured) == (8, [1, 8, 32])


def test_the_smallest_of_nearly_equal_sizes_is_taken(choose):
    assert choose(lambda members: 1e-3 * members * (1 if members < 32 else 0.3))[0] == 32


@pytest.mark.parametrize(("step", "size"), [(2e-4, 16), (5e-3, 1)])
def test_short_trials_are_not_measured_but_judged_by_the_length_of_a_step(choose, step, size):
    found, reason, measured = choose(lambda members: step * members, epochs=1)
    assert (found, measured) == (size, [1])
    assert "measure" in reason


def test_a_clear_gain_carries_over_to_sizes_too_dear_to_measure(choose):
    def found(share):
        times = {1: 1}
        return choose(lambda some: 5e-3 * some * times.get(some, share), count=32, epochs=16)

    size, reason, measured = found(0.7)
    assert (size, measured) == (16, [1, 8])
    assert reason.endswith("larger ones not measured")
    assert found(0.9)[0] == 8


def test_memory_limits_the_size(choose):
    size, _, measured = choose(lambda members: 3e-4 + 2e-5 * members, memory=10)
    assert (size, measured) == (10, [1, 8, 10])
    assert choose(lambda members: 1e-3, memory=1)[:2] == (1, "alone: the memory holds no two")


def test_a_measurement_is_made_once(choose, make_trial, blobs, monkeypatch):
    choose(lambda members: 3e-4 + 2e-5 * members)
    data = DeviceData(blobs.examples, torch.device("cpu"))
    trials = [make_trial(seed, epochs=10_000) for seed in range(100, 164)]
    program = program_for(trials[0], blobs.form, data.device)
    monkeypatch.setattr(pack_autotuning, "measure", lambda *_: pytest.fail("measured again"))
    assert choose_pack_size(trials, PackContext(data, None, blobs.form, program), 64).size == 64


def test_it_says_why_a_trial_is_alone(choose, make_trial, blobs):
    assert choose(lambda _: 1e-3, count=1)[1] == "alone: no other trial of its shape"
    assert choose(lambda _: 1e-3, largest=1)[1] == "alone: as asked"
    plain = SingleProgram(usual_task("class"), torch.nn.Linear(12, 3), Classes(), UNDECLARED)
    data = DeviceData(blobs.examples, torch.device("cpu"))
    found = choose_pack_size(
        [make_trial(0), make_trial(1)], PackContext(data, None, blobs.form, plain), 64
    )
    assert found.reason == "alone: the network does not declare itself packable"


def test_memory_is_estimated_from_a_recorded_step(make_trial, blobs):
    trial = make_trial(0, model={"width": 509})  # a shape that no other test measures
    data = DeviceData(blobs.examples, torch.device("cpu"))
    context = PackContext(data, None, blobs.form, program_for(trial, blobs.form, data.device))
    before = pack_autotuning.members_that_fit(context, trial)
    seconds = pack_autotuning.measure([trial], context)
    assert seconds > 0
    assert 1 < pack_autotuning.members_that_fit(context, trial) < before


def test_many_parameters_are_not_packed_unmeasured(choose, monkeypatch):
    """They leave the caches: a step may be short, and a pack still slower."""
    short = {"count": 4, "epochs": 1}
    assert choose(lambda members: 1e-4 * members, **short)[:2] == (
        4, "4 at most: short steps (100 µs alone), not measured",
    )  # fmt: skip
    monkeypatch.setattr(pack_autotuning, "HEAVY", 100)
    size, reason, _ = choose(lambda members: 1e-4 * members, **short)
    assert (size, reason.partition(" (")[0]) == (1, "alone: many parameters")
