"""What every network must do to be compared fairly with others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.nn.modules.dropout import _DropoutNd

from harness.data_spec import Form
from harness.layers.dropout import Dropout
from harness.models import Model, SimpleModel, build, network_class

BATCH = 12
Case = tuple[dict[str, Any] | str, Form]
"""A model as a study file names it, and the form of the data that it is to read."""


@pytest.mark.usefixtures("one_thread")
class ModelConformance:
    """Inherit from it, and list what is to be tested:

    class TestNetwork(ModelConformance):
        harness_cases = [({"name": "acme.nets:network", "settings": {}}, Form((1, 8, 8), 10))]
    """

    harness_cases: ClassVar[Sequence[Case]] = ()
    steps: ClassVar[int] = 150  # of Adam at a rate of 0.01 at most, to learn a batch by heart

    def test_scores_have_a_row_for_each_input_and_do_not_change_when_asked_again(
        self, case: Case
    ) -> None:
        """No input sees another, and evaluation is without chance."""
        network, inputs = make(case).eval(), draw(case[1])
        with torch.no_grad():
            outputs = network(inputs)
            assert outputs.shape == _shape(case[1])
            assert torch.equal(outputs, network(inputs))
            torch.testing.assert_close(outputs[:5], network(inputs[:5]))

    def test_the_gradient_reaches_every_parameter(self, case: Case) -> None:
        """No parameter stands idle."""
        network = make(case)
        loss(network(draw(case[1])), case[1]).backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            # what stands before a batch norm is shifted in vain: its gradient is noise, not zero
            assert parameter.grad.abs().sum() > 0, name

    def test_equal_seeds_give_equal_networks(self, case: Case) -> None:
        """Initial weights belong to the seed, and PyTorch's own generator is left alone."""
        torch.manual_seed(1)
        before = torch.get_rng_state()
        one, same, other = (make(case, seed).state_dict() for seed in (1, 1, 2))
        assert torch.equal(torch.get_rng_state(), before)
        assert all(torch.equal(one[name], same[name]) for name in one)
        assert any(not torch.equal(one[name], other[name]) for name in one if "weight" in name)

    def test_a_small_batch_can_be_learned_by_heart(self, case: Case) -> None:
        """It can learn at all."""
        network, form = make(case), case[1]
        for layer in network.modules():
            if isinstance(layer, (Dropout, _DropoutNd)):
                layer.eval()  # by heart, undisturbed
        inputs = draw(form)
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        for _ in range(self.steps):
            optimizer.zero_grad()
            now = loss(network(inputs), form)
            if float(now.detach()) < 0.1:
                break
            now.backward()
            optimizer.step()
        assert float(now.detach()) < 0.1


def cases_of(name: str) -> list[Case]:
    """Return a case for each kind of inputs that a network says it reads, with its defaults.

    None for a simple model, and for a network that is nothing without settings.
    """
    network = network_class(name)
    if issubclass(network, SimpleModel):
        return []
    try:
        network.model_validate({"name": name})
    except ValidationError:
        return []
    if "class" not in network.targets and "sequence" in network.targets:
        steps = {"numbers": Form((8, 40), 3, "sequence"), "tokens": Form((8,), 3, "sequence", 20)}
        return [(name, steps[inputs]) for inputs in network.reads]
    forms = {"numbers": Form((1, 8, 8), 3), "tokens": Form((9,), 3, vocabulary=20)}
    if network.targets == ("numbers",):  # one from images to images, perhaps
        forms = {"numbers": Form((1, 8, 8), 64, "numbers")}
    return [(name, forms[inputs]) for inputs in network.reads]


def make(case: Case, seed: int = 0) -> nn.Module:
    """Build the network of a case, its defaults filled in as a study file does."""
    model, form = case
    config = TypeAdapter(Model).validate_json(json.dumps(model)).model_dump()
    return build(config, form, seed)


def draw(form: Form) -> Tensor:
    """Draw a batch of inputs: normal numbers, or token ids of which some rows end in padding."""
    generator = torch.Generator().manual_seed(1)
    if form.vocabulary is None:
        return torch.randn(BATCH, *form.shape, generator=generator)
    inputs = torch.randint(2, form.vocabulary, (BATCH, *form.shape), generator=generator)
    inputs[: BATCH // 2, -3:] = 0
    return inputs


def loss(outputs: Tensor, form: Form) -> Tensor:
    """Return the loss against targets that have nothing to do with the inputs."""
    if form.kind == "numbers":
        targets = torch.linspace(-1, 1, BATCH * form.outputs).reshape(BATCH, form.outputs)
        return mse_loss(outputs, targets)
    classes = outputs.reshape(-1, form.outputs)
    return cross_entropy(classes, torch.arange(len(classes)) % form.outputs)


def _shape(form: Form) -> tuple[int, ...]:
    steps = form.shape[:1] if form.kind == "sequence" else ()
    return (BATCH, *steps, form.outputs)
