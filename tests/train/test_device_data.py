import gc
import weakref

import numpy as np
import pytest
import torch

import harness.train.device_data as module
from harness.train import train
from harness.train.device_data import DeviceData, Normalization, on_device, place_splits
from harness.trial import Record
from harness.workloads import Examples, Handling, split

CPU = torch.device("cpu")


def examples(n=100, shape=(3, 2), offset=0.0):
    generator = np.random.default_rng(0)
    inputs = generator.normal(offset, 2.0, size=(n, *shape)).astype(np.float32)
    return Examples(inputs, np.arange(n) % 4)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_a_split_is_normalized_by_its_training_part(offset):
    source = examples(offset=offset)
    data = DeviceData(source, CPU)
    division = data.division(0.2, 7)
    train_rows, validation_rows = split(source.targets, 0.2, 7)
    assert np.array_equal(division.train, train_rows)
    assert np.array_equal(division.validation, validation_rows)
    exact = source.inputs[train_rows].astype(np.float64)
    assert division.mean == pytest.approx(exact.mean(), rel=1e-9)
    assert division.scale == pytest.approx(1 / exact.std(), rel=1e-6)


def test_members_meet_their_own_order_in_batches():
    data = DeviceData(examples(), CPU)
    divisions = [data.division(0.2, seed) for seed in range(3)]
    order = np.stack(
        [np.random.default_rng(s).permutation(d.train) for s, d in enumerate(divisions)]
    )
    batches = list(data.batches(order, 32, Normalization(divisions, CPU)))
    assert [tuple(inputs.shape) for inputs, _ in batches] == [(3, 32, 3, 2)] * 2 + [(3, 16, 3, 2)]
    for member, division in enumerate(divisions):
        seen = torch.cat([inputs[member] for inputs, _ in batches])
        raw = torch.from_numpy(data.source.inputs[order[member]])
        torch.testing.assert_close(seen, (raw - division.mean) * division.scale)
        targets = torch.cat([targets[member] for _, targets in batches])
        assert np.array_equal(targets.numpy(), data.source.targets[order[member]])


@pytest.mark.parametrize("limit", [1, 1 << 30])
def test_chunks_do_not_change_the_batches(monkeypatch, limit):
    data = DeviceData(examples(), CPU)
    divisions = [data.division(0.2, 0)]
    order = divisions[0].train[None]
    usual = [x.clone() for x, _ in data.batches(order, 8, Normalization(divisions, CPU))]
    monkeypatch.setitem(
        __import__("harness.train.device_data").train.device_data.CHUNK_BYTES, "cpu", limit
    )
    chunked = [x for x, _ in data.batches(order, 8, Normalization(divisions, CPU))]
    assert all(torch.equal(a, b) for a, b in zip(usual, chunked, strict=True))


def test_whole_numbers_are_not_normalized():
    source = Examples(np.arange(40).reshape(20, 2), np.arange(20) % 2)
    data = DeviceData(source, CPU)
    division = data.division(0.2, 0)
    assert (division.mean, division.scale) == (0.0, 1.0)
    inputs, _ = data.gather(torch.tensor([[3, 4]]), Normalization([division], CPU), axis=0)
    assert inputs.tolist() == [[[6, 7], [8, 9]]]


def test_constant_inputs_do_not_divide_by_zero():
    source = Examples(np.full((20, 2), 3.0, dtype=np.float32), np.arange(20) % 2)
    assert np.isfinite(DeviceData(source, CPU).division(0.2, 0).scale)


def test_the_open_part_is_kept_and_read_where_it_lies():
    source = examples()
    first = on_device(source, CPU)
    assert on_device(source, CPU) is first
    assert first.inputs.data_ptr() == source.inputs.ctypes.data
    for _ in range(3):
        on_device(examples(), CPU)
    assert on_device(source, CPU) is not first


def test_nothing_keeps_the_locked_test_split(make_trial, blobs):
    from dataclasses import replace

    test = Examples(blobs.test.inputs.copy(), blobs.test.targets.copy())
    watched = weakref.ref(test.inputs)
    list(train([make_trial(0), make_trial(1)], replace(blobs, test=test)))
    del test
    gc.collect()
    assert watched() is None


def test_splits_are_the_trials_own(make_trial, blobs):
    splits = place_splits(make_trial(3), blobs, CPU)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (120, 30, 60)
    assert float(splits.train.inputs.mean()) == pytest.approx(0, abs=1e-5)
    assert float(splits.train.inputs.std(correction=0)) == pytest.approx(1, abs=1e-5)


def test_pixels_become_numbers_when_they_are_gathered():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 3, 4, 4), dtype=np.uint8)
    targets = np.arange(40) % 4
    as_bytes = DeviceData(Examples(pixels, targets), CPU)
    as_numbers = DeviceData(Examples(pixels.astype(np.float32) / 255, targets), CPU)
    divisions = [data.division(0.2, 1) for data in (as_bytes, as_numbers)]
    assert divisions[0].mean == pytest.approx(divisions[1].mean, rel=1e-6)
    rows = torch.arange(10)[None]
    ours, theirs = (
        data.gather(rows, Normalization([division], CPU), axis=0)[0]
        for data, division in zip((as_bytes, as_numbers), divisions, strict=True)
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    assert as_bytes.row_bytes == as_numbers.row_bytes
    assert as_bytes.inputs.data_ptr() == pixels.ctypes.data


def test_columns_are_normalized_each_by_its_own_training_part():
    generator = np.random.default_rng(0)
    inputs = (generator.normal(size=(60, 3)) * [1, 50, 0] + [0, 9, 7]).astype(np.float32)
    source = Examples(inputs, np.arange(60) % 3)
    data = DeviceData(source, CPU, Handling(normalization="feature"))
    divisions = [data.division(0.2, seed) for seed in range(2)]
    order = np.stack([division.train for division in divisions])
    ((batch, _),) = data.batches(order, 1000, Normalization(divisions, CPU))
    torch.testing.assert_close(batch.mean(dim=1), torch.zeros(2, 3), rtol=0, atol=1e-5)
    expected = torch.tensor([[1.0, 1, 0]] * 2)  # a constant column stays one
    torch.testing.assert_close(batch.std(dim=1, correction=0), expected, rtol=0, atol=1e-5)


def test_data_too_large_for_the_device_are_streamed_and_change_nothing(
    make_trial, blobs, monkeypatch
):
    def train_two():
        monkeypatch.setattr(module, "_kept", [])
        events = train([make_trial(0), make_trial(1)], blobs)
        return [event for event in events if isinstance(event, Record)]

    resident_records = train_two()
    monkeypatch.setattr(module, "free_memory", lambda _: 0)
    streamed = train_two()
    for ours, theirs in zip(streamed, resident_records, strict=True):
        assert ours.deterministic_part() == theirs.deterministic_part()
        assert "streamed" in ours.environment["data"]
        assert "data" not in theirs.environment
