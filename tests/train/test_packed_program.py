"""A program's gradients, whichever way they are computed."""

import pytest
import torch

from harness.data_spec import Form
from harness.models import build
from harness.tasks import objective_for, usual_task
from harness.train.packed_program import PackedProgram
from harness.train.single_program import SingleProgram
from harness.train.stack import Stack

CLASSES = objective_for({}, Form((6,), 3))

MLP = {"name": "mlp", "depth": 2, "width": 16, "activation": "tanh", "initialization": "auto"}


@pytest.fixture
def pack():
    """Three networks, their inputs and their targets."""
    generator = torch.Generator().manual_seed(0)
    networks = [build(MLP, Form((8,), 4), seed) for seed in range(3)]
    inputs = torch.randn(3, 10, 8, generator=generator)
    return networks, inputs, torch.randint(0, 4, (3, 10), generator=generator)


def test_the_first_step_of_a_shape_is_as_every_later_one(pack):
    networks, inputs, targets = pack
    program, stack = PackedProgram(networks[0], CLASSES), Stack.of(networks)
    first, losses = program.gradients(stack, inputs, targets)
    again, same = program.gradients(stack, inputs, targets)
    assert torch.equal(losses, same)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert program.step_bytes > 0
    assert program.step_calls > 0


def test_packed_gradients_are_those_of_each_network(pack):
    networks, inputs, targets = pack
    packed, losses = PackedProgram(networks[0], CLASSES).gradients(
        Stack.of(networks), inputs, targets
    )
    for row, network in enumerate(networks):
        program = SingleProgram(usual_task("class"), network, CLASSES, "alone")
        program.bind(Stack.of([network]), training=True)
        rows = slice(row, row + 1)
        loss = CLASSES.loss.alone(program.outputs("model", inputs[row]), targets[row])
        alone = program.gradients("model", loss)
        torch.testing.assert_close(losses[row].float(), loss.detach())
        for ours, theirs in zip(packed, alone, strict=True):
            torch.testing.assert_close(ours[rows], theirs, rtol=1e-4, atol=1e-6)


def test_bfloat16_is_close_and_can_be_recorded(pack):
    networks, inputs, targets = pack
    stack = Stack.of(networks)
    exact, _ = PackedProgram(networks[0], CLASSES).gradients(stack, inputs, targets)
    program = PackedProgram(networks[0], CLASSES, bfloat16=True)
    assert program.precision == "bfloat16"
    program.gradients(stack, inputs, targets)
    rough, _ = program.gradients(stack, inputs, targets)
    for ours, theirs in zip(rough, exact, strict=True):
        assert ours.dtype == torch.float32
        assert not torch.equal(ours, theirs)
        torch.testing.assert_close(ours, theirs, rtol=0.1, atol=0.02)


def test_scores_count_right_answers(pack):
    networks, inputs, targets = pack
    losses, correct = PackedProgram(networks[0], CLASSES).scores(
        Stack.of(networks), inputs, targets
    )
    for row, network in enumerate(networks):
        outputs = network(inputs[row])
        loss = torch.nn.functional.cross_entropy(outputs, targets[row], reduction="sum")
        torch.testing.assert_close(losses[row].float(), loss.detach())
        assert int(correct[row]) == int((outputs.argmax(1) == targets[row]).sum())
