"""A trial that is taken up from a checkpoint ends as if nothing had happened."""

import pickle

import fsspec
import pytest

from harness.train import Checkpoints, Setting, train_in
from harness.train import checkpoints as module
from harness.trial import Record, State

UNFREEZING = {"freeze": 2, "unfreeze_every": 2, "rate_decay": 0.5, "from": None}
ADADELTA = {"name": "torch.optim.Adadelta", "lr": 0.5, "settings": {"rho": 0.8}}
SGD = {"name": "sgd", "lr": 0.005, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4}
NADAM = {"name": "nadam", "lr": 0.01, "weight_decay": 0.0, "beta1": 0.9, "beta2": 0.999,
         "momentum_decay": 4e-3}  # fmt: skip


def until(setting, trial, data, epoch=None):
    """Run a trial up to the report of an epoch, as if its process had died there; or to its end."""
    events = train_in(setting, [trial], data)
    for event in events:
        if isinstance(event, Record):
            return event
        if epoch is not None and event.points[-1]["epoch"] >= epoch:
            events.close()
    return None


@pytest.fixture
def place(tmp_path):
    return Checkpoints(str(tmp_path), epochs=2)


@pytest.mark.parametrize(
    "settings",
    [
        {"model": {"dropout": 0.3}, "schedule": {"name": "cosine", "final": 0.0}},
        {"optimizer": NADAM, "keep": "last"},
        {"optimizer": SGD, "early_stopping": {"patience": 4}},
        {"optimizer": ADADELTA},
        {"transfer": UNFREEZING},
        {"model": {"name": "custom_networks:plain", "settings": {}}},
    ],
    ids="-".join,
)
def test_a_resumed_trial_ends_as_an_undisturbed_one(blobs, make_trial, place, settings):
    trial = make_trial(3, epochs=9, **settings)
    undisturbed = until(Setting(), trial, blobs)
    assert undisturbed.state is State.COMPLETE, undisturbed.reason
    assert until(Setting(checkpoints=place), trial, blobs, 5) is None
    assert until(Setting(checkpoints=place), trial, blobs, 8) is None  # from 4, saved at 6 only
    resumed = until(Setting(attempt=3, checkpoints=place), trial, blobs)
    assert resumed.cost["resumed_after_epoch"] == 6
    assert resumed.deterministic_part() == undisturbed.deterministic_part()


def test_augmented_images_are_drawn_as_if_nothing_had_happened(images, make_trial, place):
    changes = {"shift": 1, "flip": True}
    trial = make_trial(0, epochs=5, augmentation=changes)
    undisturbed = until(Setting(), trial, images)
    assert undisturbed.state is State.COMPLETE, undisturbed.reason
    until(Setting(checkpoints=place), trial, images, 4)
    resumed = until(Setting(checkpoints=place), trial, images)
    assert resumed.cost["resumed_after_epoch"] == 2
    assert resumed.deterministic_part() == undisturbed.deterministic_part()


@pytest.mark.parametrize("folder", ["memory://harness-test", "file://{}", "{}/deep/er"])
def test_any_storage_that_fsspec_knows_will_do(blobs, make_trial, tmp_path, folder):
    place = Checkpoints(folder.format(tmp_path), epochs=1)
    trial = make_trial(0, epochs=6)
    until(Setting(checkpoints=place), trial, blobs, 5)
    files, root = fsspec.core.url_to_fs(place.folder)
    names = sorted(name.rpartition("/")[2] for name in files.ls(f"{root}/{trial.id}", detail=False))
    assert names == ["00000003.pt", "00000004.pt"]  # the last two, and nothing half-written
    resumed = until(Setting(checkpoints=place), trial, blobs)
    assert resumed.cost["resumed_after_epoch"] == 4
    place.remove([trial.id, "0123"])
    assert not files.exists(f"{root}/{trial.id}")


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "strange"])
def test_a_damaged_checkpoint_is_noticed_and_the_one_before_is_taken(
    blobs, make_trial, place, tmp_path, damage
):
    trial = make_trial(0, epochs=6)
    undisturbed = until(Setting(), trial, blobs)
    until(Setting(checkpoints=place), trial, blobs, 5)
    first, last = sorted((tmp_path / trial.id).iterdir())
    whole = last.read_bytes()
    middle = len(whole) // 2
    last.write_bytes(
        {
            "cut": whole[:middle],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "empty": b"",
            "strange": b"not a checkpoint at all",
        }[damage]
    )
    resumed = until(Setting(checkpoints=place), trial, blobs)
    assert resumed.cost["resumed_after_epoch"] == 2
    assert resumed.cost["damaged_checkpoints"] == 1
    assert resumed.deterministic_part() == undisturbed.deterministic_part()

    for file in (first, last):
        file.write_bytes(b"")
    (tmp_path / trial.id / "00000005.partial").write_bytes(whole[:middle])
    anew = until(Setting(checkpoints=Checkpoints(str(tmp_path), epochs=100)), trial, blobs)
    assert anew.cost["damaged_checkpoints"] >= 2
    assert "resumed_after_epoch" not in anew.cost
    assert anew.deterministic_part() == undisturbed.deterministic_part()


class Trap:
    def __reduce__(self):
        return open, ("/tmp/harness-trap", "w")


def test_no_code_in_a_checkpoint_is_run(place, tmp_path):
    place.save("a", 2, {"epoch": 2})
    (file,) = (tmp_path / "a").iterdir()
    assert place.load("a") == ({"epoch": 2}, 0)
    import torch

    torch.save({"epoch": 4, "trap": Trap()}, tmp_path / "raw")
    body = (tmp_path / "raw").read_bytes()
    mark = module._MARK + module.hashlib.sha256(body).digest()
    file.with_name("00000004.pt").write_bytes(mark + body)
    assert place.load("a") == ({"epoch": 2}, 1)
    file.with_name("00000006.pt").write_bytes(pickle.dumps(Trap()))
    assert place.load("a") == ({"epoch": 2}, 2)
    assert not __import__("os").path.exists("/tmp/harness-trap")


def test_a_storage_that_cannot_be_written_costs_no_trial(blobs, make_trial, tmp_path):
    (tmp_path / "file").write_text("in the way")
    place = Checkpoints(str(tmp_path / "file"), epochs=1)
    record = until(Setting(checkpoints=place), make_trial(0), blobs)
    assert record.state is State.COMPLETE
    assert record.cost["failed_checkpoints"] == 2


def test_checkpoints_by_time(blobs, make_trial, tmp_path, monkeypatch):
    place = Checkpoints(str(tmp_path), seconds=600)
    now = iter(range(0, 10_000, 250))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(now))
    assert not place.is_due(1, 0)  # at 0 seconds, 250, ...
    assert [place.is_due(epoch, 0) for epoch in range(4)] == [False, False, True, True]


def test_trials_of_a_pack_are_not_saved(blobs, make_trial, place, tmp_path):
    records = [
        event
        for event in train_in(Setting(checkpoints=place), [make_trial(s) for s in range(4)], blobs)
        if isinstance(event, Record)
    ]
    assert {record.cost["pack_size"] for record in records} == {4}
    assert not list(tmp_path.iterdir())
