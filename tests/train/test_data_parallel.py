"""Two processes that train one network together end as one process does, but for rounding."""

import pytest
from two_processes import agrees, by_one, by_two, tokens_of

from harness.train import Checkpoints, Setting, train_in
from harness.trial import State

RECURRENT = {
    "name": "recurrent", "cell": "gru", "layers": 1, "width": 8, "embedding": 4, "dropout": 0.0,
    "bidirectional": False, "pooling": "last", "initialization": "torch", "forget_bias": None,
}  # fmt: skip


@pytest.mark.slow
def test_two_processes_end_as_one(blobs, make_trial, tmp_path):
    tokens = tokens_of(64)
    place, saved = Checkpoints(str(tmp_path), epochs=2), make_trial(5, epochs=6)
    events = train_in(Setting(checkpoints=place), [saved], blobs)
    while next(events).points[-1]["epoch"] < 5:
        pass
    events.close()
    jobs = [
        (make_trial(0, epochs=5), blobs, None),  # 120 examples: the last batch of 32 has 24
        (make_trial(1, epochs=5, batch_size=7, clip=1.0), blobs, None),  # odd batches; one of 1
        (make_trial(2, epochs=5, schedule={"name": "cosine", "final": 0.0}), blobs, None),
        (make_trial(3, model=RECURRENT, epochs=3), tokens, None),
        (saved, blobs, place),
        (make_trial(4, model={"norm": "batch"}), blobs, None),
    ]
    (*found, refused), _ = by_two(tmp_path, jobs)
    for (trial, data, _), both in zip(jobs, found, strict=False):
        alone = by_one(trial, data)
        first = agrees(both, alone)
        assert set(first.outcomes) == set(alone.outcomes)
        for name, values in alone.outcomes.items():  # whole, and in the order of the examples
            assert first.outcomes[name] == pytest.approx(values, rel=1e-3, abs=1e-5), name
    assert found[4][1].cost["resumed_after_epoch"] == 4
    assert refused[0].state is State.FAILED
    assert "batch normalization would see only a part of each batch" in refused[0].reason
