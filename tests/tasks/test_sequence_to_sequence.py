"""What is read in training where the true target is not always there."""

from types import SimpleNamespace

import pytest
import torch

from harness.data.pairs import Pairs
from harness.losses.auto import Auto
from harness.tasks.base import Batch
from harness.tasks.sequence_to_sequence import SequenceToSequence

LENGTH, SYMBOLS = 4, 6


class Room:
    """A state whose network always answers symbol 5."""

    def __init__(self, task, form):
        self.objective = task.objective(form, Auto(name="auto"))
        self.generator = torch.Generator().manual_seed(0)
        self.read = []

    def outputs(self, part, inputs):
        self.read.append(inputs)
        scores = torch.zeros(*inputs.shape, SYMBOLS)
        scores[..., 5] = 1.0
        return scores.requires_grad_()

    def update(self, part, loss):
        loss.backward()


def step(share):
    data = Pairs(name="pairs", length=LENGTH, symbols=SYMBOLS, examples=200, test=10)
    found = data.load(None)
    task = SequenceToSequence(name="sequence_to_sequence", teacher_forcing=share)
    room = Room(task, data.form)
    batch = Batch(torch.from_numpy(found.examples.inputs), torch.from_numpy(found.examples.targets))
    task.step(room, batch)
    return batch.inputs, room.read


def test_with_full_forcing_there_is_one_pass_over_the_true_target():
    inputs, read = step(1.0)
    assert len(read) == 1
    assert torch.equal(read[0], inputs)


def test_without_forcing_the_own_answers_are_read():
    inputs, read = step(0.0)
    assert torch.equal(read[0], inputs)
    assert torch.equal(read[1][:, : LENGTH + 1], inputs[:, : LENGTH + 1])
    assert (read[1][:, LENGTH + 1 :] == 5 + 2).all()


def test_half_forcing_replaces_half():
    inputs, read = step(0.5)
    other = inputs[:, LENGTH + 1 :] != 7
    replaced = (read[1] != inputs)[:, LENGTH + 1 :][other]
    assert float(replaced.double().mean()) == pytest.approx(0.5, abs=0.08)


def test_other_data_are_refused():
    workload = SimpleNamespace(data=SimpleNamespace(name="characters", kind="sequence"))
    assert "pairs of sequences" in SequenceToSequence(name="sequence_to_sequence").refusal(workload)
