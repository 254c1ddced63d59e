import json

from harness.seeding import confirmation_seeds, search_seeds, stream
from harness.trial import Phase, Record, State, Trial

WORKLOAD = {"model": {"name": "mlp", "depth": 2}, "epochs": 3}


def trial(**changes):
    fields = {
        "workload": WORKLOAD,
        "seed": 0,
        "phase": Phase.CONFIRMATION,
        "data_fingerprint": "d",
        "code_version": "c",
    }
    return Trial(**(fields | changes))


def test_identity_ignores_the_order_of_keys_and_nothing_else():
    shuffled = {"epochs": 3, "model": {"depth": 2, "name": "mlp"}}
    assert trial().id == trial(workload=shuffled).id
    changes = [
        {"workload": WORKLOAD | {"epochs": 4}},
        {"seed": 1},
        {"phase": Phase.SEARCH},
        {"data_fingerprint": "e"},
        {"code_version": "d"},
        {"probes": ({"name": "dead_units"},)},
    ]
    assert len({trial().id, *(trial(**change).id for change in changes)}) == len(changes) + 1


def test_a_record_survives_json_and_keeps_its_identity():
    record = Record(
        trial(), State.COMPLETE, metrics={"test.accuracy": 0.5}, curve=({"epoch": 1},),
        details={"norms": [1.0, 2.0]}, selected_epoch=1,
    )  # fmt: skip
    again = Record.from_dict(json.loads(json.dumps(record.to_dict())))
    assert again.trial_id == record.trial_id == trial().id
    assert again.deterministic_part() == record.deterministic_part()
    assert again.state is State.COMPLETE


def test_streams_do_not_meet():
    drawn = {stream(seed, purpose) for seed in range(500) for purpose in ("split", "weights")}
    assert len(drawn) == 1000
    assert all(0 <= number < 2**63 for number in drawn)
    assert stream(3, "split") == stream(3, "split")


def test_search_never_meets_confirmation():
    assert not set(search_seeds(1000)) & set(confirmation_seeds(10_000))
