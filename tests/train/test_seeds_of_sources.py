"""Each source of randomness can have a seed of its own, and then varies alone."""

import numpy as np
import pytest
import torch

from harness.train.device_data import DeviceData
from harness.train.pack import Pack, PackContext
from harness.train.packed_program import program_for
from harness.train.packing_key import pack_key
from harness.trial import SOURCES

DROPPING = {"dropout": 0.3}


@pytest.fixture(params=[1, 3], ids=["alone", "packed"])
def parts(request, make_trial, digits):
    """Return a function: what a trial draws, alone or as the first of a pack."""

    def drawn(**seeds):
        own = {"seeds": seeds} if seeds else {}
        trials = [make_trial(0, model=DROPPING, **own)]
        trials += [make_trial(5 + i, model=DROPPING) for i in range(request.param - 1)]
        data = DeviceData(digits.examples, torch.device("cpu"))
        program = program_for(trials[0], digits.form, data.device)
        pack = Pack(trials, PackContext(data, None, digits.form, program))
        member = pack.members[0]
        tensors = [tensor[0].numpy().copy() for tensor in pack.stack.parameters]
        held = [tensor[0].numpy().copy() for tensor in pack.stack.buffers]
        return {
            "initialization": np.concatenate([tensor.ravel() for tensor in tensors]),
            "order": np.concatenate([member.order.permutation(100), *(h.ravel() for h in held)]),
            "split": np.concatenate([member.division.train, member.division.validation]),
        }

    return drawn


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_not_varied_is_kept_bit_for_bit(parts, source):
    usual, varied = parts(), parts(**{source: 77})
    for name in SOURCES:
        assert np.array_equal(usual[name], varied[name]) == (name != source), name


def test_the_sources_together_are_all_that_a_seed_decides(make_trial, digits, records_of):
    augmented = {"model": DROPPING, "augmentation": {"shift": 1}}
    seeds = dict.fromkeys(SOURCES, 9)
    given = [make_trial(0, **augmented, seeds=seeds), make_trial(9, **augmented)]
    of_all, plain = records_of(given, digits)
    assert of_all.trial_id != plain.trial_id
    assert (of_all.metrics, of_all.curve) == (plain.metrics, plain.curve)
    alone = [make_trial(0, **augmented, seeds={source: 9}) for source in SOURCES]
    found = records_of([make_trial(0, **augmented), *alone], digits)
    assert len({tuple(point["train.loss"] for point in one.curve) for one in found}) == 4


def test_varied_trials_train_as_one_pack_and_have_identities_of_their_own(make_trial):
    trials = [make_trial(0), *(make_trial(0, seeds={source: 1}) for source in SOURCES)]
    assert len({trial.id for trial in trials}) == 4
    assert len({pack_key(trial) for trial in trials}) == 1
