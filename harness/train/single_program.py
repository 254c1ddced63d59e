"""One trial by the step of its task: for networks and tasks that may do anything in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from harness.data_spec import Form
from harness.errors import nearest, returned
from harness.layers import seed_dropout, set_mode
from harness.models import Network, build
from harness.seeding import stream
from harness.tasks import Objective, Stage, Task
from harness.train.stack import Stack, state_names, state_of
from harness.trial import OWN_SEEDS, Trial
from harness.workloads.settings import read_settings


class Parts(nn.ModuleDict):
    """The networks of a task that has several, by the names of their parts."""


def build_template(task: Task, trial: Trial, form: Form) -> nn.Module:
    """Return the network of a trial with its initial weights, or all of its networks as `Parts`.

    The main network draws from the stream of weights that every trial has; another part from one of
    its own, so that it changes nothing about the main one.

    Raises:
        TypeError: if the task's `build` returns something else than networks by their parts.
        ValueError: if no part is the main one.
    """

    def network(model: Network, own_form: Form, part: str) -> nn.Module:
        purpose = "weights" if part == task.main else f"weights of {part}"
        found = build(model, own_form, stream(trial.seed_of("initialization"), purpose))
        if OWN_SEEDS in trial.workload:  # what is dropped belongs to the draws of training
            seed_dropout(found, stream(trial.seed_of("order"), purpose))
        return found

    networks: Any = task.build(read_settings(trial.workload), form, network)
    if not isinstance(networks, Mapping):
        raise TypeError(returned("build", task.name, networks, "a mapping of networks"))
    if task.main not in networks:
        parts = ", ".join(networks) or "none"
        raise ValueError(f"it has the parts {parts} and no '{task.main}'; set `main`")
    if set(networks) == {task.main}:
        alone: nn.Module = networks[task.main]
        return alone
    return Parts(dict(networks))


def networks_of(template: nn.Module, task: Task) -> Mapping[str, nn.Module]:
    """Return the networks of a template by the names of their parts."""
    return dict(template.items()) if isinstance(template, Parts) else {task.main: template}


class SingleProgram:
    """The networks of one trial, bound to the tensors of a stack.

    Images go to convolutions with their channels last: kernels that read them so take two
    thirds of the time on a CPU (docs/log.md), and are those with tensor cores on a GPU.
    """

    largest: int | None = 1
    launching: str | None = None

    def __init__(
        self,
        task: Task,
        template: nn.Module,
        objective: Objective | None,
        refusal: str,
        *,
        bfloat16: bool = False,
    ):
        self.task = task
        self.template = template
        self.objective = objective
        self.refusal: str | None = refusal
        self.networks = networks_of(template, task)
        self.precision = "bfloat16" if bfloat16 else "float32"
        self._bfloat16 = bfloat16
        self._channels_last = {
            part: any(isinstance(module, nn.Conv2d) for module in network.modules())
            for part, network in self.networks.items()
        }
        names = state_names(template)[0]
        self.places = {part: self._places(part, names) for part in self.networks}
        """Where the trained tensors of each part stand among those of a stack."""
        known = dict(template.named_parameters())
        self._parameters = [known[name] for name in names]
        self._bound: Stack | None = None
        self._served: nn.Module | None = None

    def _places(self, part: str, names: list[str]) -> list[int]:
        if not isinstance(self.template, Parts):
            return list(range(len(names)))
        return [place for place, name in enumerate(names) if name.startswith(f"{part}.")]

    def bind(self, stack: Stack, *, training: bool) -> None:
        """Let the networks' own tensors be the stack's first row, and set their mode."""
        set_mode(self.template, training)
        if training or self._bound is not stack:
            self._served = None
        if self._bound is stack:
            return
        trained, held = state_names(self.template)
        own = state_of(self.template)
        for name, tensor in zip([*trained, *held], stack.tensors, strict=True):
            own[name].data = tensor[0]
        self._bound = stack

    def outputs(self, part: str, inputs: Tensor) -> Tensor:
        """Return what a network says of inputs (batch, ...).

        Raises:
            ValueError: if there is no such part.
        """
        self._need(part)
        if self._channels_last[part] and inputs.ndim == 4:
            inputs = inputs.to(memory_format=torch.channels_last)
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self._bfloat16):
            outputs: Tensor = self.networks[part](inputs)
        return outputs.float() if self._bfloat16 else outputs

    def answered(self, inputs: Tensor) -> Tensor:
        """Return what answers for the main network where nothing is trained; see `Task.served`."""
        main = self.networks[self.task.main]
        if self._served is None:
            self._served = self.task.served(main)
        if self._served is main:
            return self.outputs(self.task.main, inputs)
        found: Tensor = self._served(inputs)
        return found

    def gradients(self, part: str, loss: Tensor) -> list[Tensor]:
        """Return the gradient of a loss for each trained tensor of a part, each (1, ...).

        Raises:
            ValueError: if there is no such part.
        """
        self._need(part)
        parameters = [self._parameters[place] for place in self.places[part]]
        found = torch.autograd.grad(loss, parameters, materialize_grads=True)
        return [gradient[None].contiguous() for gradient in found]

    def _need(self, part: str) -> None:
        if part not in self.places:
            known = ", ".join(self.places)
            raise ValueError(f"no part '{part}'; parts: {known}{nearest(part, self.places)}")

    def scores(self, stack: Stack, inputs: Tensor, targets: Tensor) -> list[Tensor]:
        """Return the totals of the objective, each (1,), for inputs (1, batch, ...)."""
        assert self.objective is not None
        self.bind(stack, training=False)
        with torch.no_grad():
            outputs = self.answered(inputs[0])
            return [total[None] for total in self.objective.scores(outputs, targets[0])]

    def answers(self, stack: Stack, inputs: Tensor) -> Tensor:
        """Return what the main network says of inputs (1, batch, ...), likewise."""
        self.bind(stack, training=False)
        with torch.no_grad():
            return self.answered(inputs[0])[None]

    def outcomes(self, stack: Stack, inputs: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        """Return what the task says of each example, (1, batch), for inputs (1, batch, ...)."""
        self.bind(stack, training=False)
        with torch.no_grad():
            outputs = self.answered(inputs[0])
            found = self.task.outcomes(outputs, targets[0])
        return {name: values[None] for name, values in found.items()}


@dataclass(frozen=True)
class TrialState:
    """One trial in training, as its task sees it; see `harness.tasks.base.State`."""

    program: SingleProgram
    form: Form
    device: torch.device
    generator: Generator
    given: Mapping[str, Stage]
    follow: Callable[[str, list[Tensor]], None]
    """Changes a part's weights by its gradients."""

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """See `State`."""
        return self.program.networks

    @property
    def objective(self) -> Objective | None:
        """See `State`."""
        return self.program.objective

    def outputs(self, part: str, inputs: Tensor) -> Tensor:
        """See `State`."""
        return self.program.outputs(part, inputs)

    def update(self, part: str, loss: Tensor) -> None:
        """See `State`."""
        self.follow(part, self.program.gradients(part, loss))
