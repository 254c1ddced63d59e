import sqlite3

import numpy as np

from harness.store import DATABASE, open_store
from harness.store.arrays import pack_arrays, unpack_arrays
from harness.trial import Phase, Record, State, Trial

WEIGHTS = {
    "layers.0.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "file": np.array(2.5),  # also the name of an argument of numpy.savez
    "steps": np.array([], dtype=np.int64),
}


def record(state=State.COMPLETE, weights=None, **fields):
    trial = Trial({"epochs": 1}, 0, Phase.PRETRAINING, "d", "c")
    return Record(trial, state, products={} if weights is None else {"weights": weights}, **fields)


def test_arrays_keep_names_order_shapes_and_types():
    found = unpack_arrays(pack_arrays(WEIGHTS))
    assert list(found) == list(WEIGHTS)
    for name, array in WEIGHTS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert unpack_arrays(pack_arrays({})) == {}


def test_weights_come_with_their_record_and_stay(tmp_path):
    store = open_store(tmp_path)
    id_ = record().trial_id
    assert store.weights(id_) is None
    store.add_records([record(State.FAILED, reason="no")])
    assert not store.has_products(id_)
    store.add_records([record(weights=WEIGHTS, attempt=2)])
    store.add_records([record(weights={"other": np.zeros(2)}, attempt=3)])
    store.close()
    store = open_store(tmp_path)
    assert store.has_products(id_)
    assert list(store.weights(id_)) == list(WEIGHTS)
    assert store.record(id_).attempt == 2
    assert store.record(id_).weights is None


def test_a_database_from_before_there_were_weights_gets_their_table(tmp_path):
    open_store(tmp_path).close()
    connection = sqlite3.connect(tmp_path / DATABASE)
    connection.executescript("DROP TABLE weights; PRAGMA user_version = 1")
    connection.close()
    store = open_store(tmp_path)
    store.add_records([record(weights=WEIGHTS)])
    assert store.has_products(record().trial_id)


def test_weights_are_no_part_of_a_record_that_is_written_or_compared():
    assert record(weights=WEIGHTS) == record()
    assert "products" not in record(weights=WEIGHTS).to_dict()
    assert Record.from_dict(record(weights=WEIGHTS).to_dict()) == record()
