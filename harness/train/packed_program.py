"""What one step and one evaluation of many members at once compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from harness.data_spec import Form
from harness.layers import layer_groups, set_mode
from harness.metrics import Metric, metric_of
from harness.own.imports import own_function
from harness.tasks import Objective, Supervised, Task, usual_task
from harness.train.cuda_graphs import Replayed
from harness.train.graph_capture import NotCapturableError, TensorFunction, capture
from harness.train.packing_key import structure
from harness.train.single_program import SingleProgram, build_template
from harness.train.stack import Stack, state_names
from harness.train.transfer import freeze, frozen_groups
from harness.trial import Trial
from harness.workloads.settings import TrialSettings, read_settings

CAPTURE_SCORES_AT_USE = 3  # of the same shapes: a capture costs as much as a few evaluations
LARGEST_PROGRAMS = 32
_BFLOAT16_FROM = 1_000_000  # parameters of a member; below, launching kernels dominates

_Shapes = tuple[bool, torch.Size, torch.Size]
"""Whether it trains, and the shapes of inputs and targets, which are soft or not."""


class PackedProgram:
    """The step of a supervised task for any number of members, by vmap, captured as a graph.

    Member by member, the operations are the same for every number of members: a pack of one is how
    a trial runs alone.
    """

    largest: int | None = None
    refusal: str | None = None

    def __init__(
        self,
        template: nn.Module,
        objective: Objective,
        task: Task | None = None,
        *,
        bfloat16: bool = False,
    ):
        self.template = template
        self.objective = objective
        self.task = task or usual_task("class")
        self._trained, self._held = state_names(template)
        self._bfloat16 = bfloat16
        self.precision = "bfloat16" if bfloat16 else "float32"
        self._uses: dict[_Shapes, int] = {}
        self._functions: dict[_Shapes, TensorFunction] = {}
        self.step_bytes = 0
        """Memory of the intermediate results of a step, for one member, once it is known."""
        self.step_calls = 0
        """Operations of a captured step, whatever the number of members."""

    @property
    def launching(self) -> str | None:
        """How steps are launched on a GPU and why, once it has been measured."""
        functions = (function for (training, *_), function in self._functions.items() if training)
        said = [function.reason for function in functions if isinstance(function, Replayed)]
        return next(filter(None, said), None)

    def gradients(
        self, stack: Stack, inputs: Tensor, targets: Tensor
    ) -> tuple[list[Tensor], Tensor]:
        """Return each parameter's gradient of the mean loss, and that loss, for each member.

        Running statistics in the stack's buffers move on.

        Args:
            stack: of any number of members.
            inputs: of shape (members, batch, ...).
            targets: of shape (members, batch, ...).
        """
        results = self._run(True, [inputs, targets, *stack.parameters, *stack.buffers])
        trained = len(stack.parameters)
        for buffer, moved in zip(stack.buffers, results[trained:-1], strict=True):
            buffer.copy_(moved)
        return list(results[:trained]), results[-1]

    def scores(self, stack: Stack, inputs: Tensor, targets: Tensor) -> Sequence[Tensor]:
        """Return the totals of the objective, each (members,)."""
        return self._run(False, [inputs, targets, *stack.parameters, *stack.buffers])

    def outcomes(self, stack: Stack, inputs: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        """Return what the task says of each example, each (members, batch)."""
        with torch.no_grad():
            found: Mapping[str, Tensor] = vmap(lambda *one: dict(self.task.outcomes(*one)))(
                self.answers(stack, inputs), targets
            )
        return found

    def answers(self, stack: Stack, inputs: Tensor) -> Tensor:
        """Return what each network says of inputs (members, batch, ...), likewise."""
        set_mode(self.template, False)
        with torch.no_grad():
            found: Tensor = vmap(self._call)(list(stack.parameters), list(stack.buffers), inputs)
        return found

    def _run(self, training: bool, arguments: list[Tensor]) -> Sequence[Tensor]:
        key = (training, arguments[0].shape, arguments[1].shape)
        function = self._functions.get(key)
        if function is None:
            function = self._prepared(training, arguments)
        return function(*arguments)

    def _prepared(self, training: bool, arguments: list[Tensor]) -> TensorFunction:
        """Return what computes such arguments from now on, or once for shapes that may be rare.

        A step is captured at its first use: the graph rounds products of matrices in another
        way (it turns them round), and results must not depend on how often a shape was met.
        """
        key = (training, arguments[0].shape, arguments[1].shape)
        plain = self._stacked_gradients if training else self._stacked_scores
        self._uses[key] = self._uses.get(key, 0) + 1
        if not training and self._uses[key] < CAPTURE_SCORES_AT_USE:
            return plain
        try:
            graph = capture(plain, arguments)
        except NotCapturableError:
            self._functions[key] = plain
            return plain
        on_gpu = arguments[0].is_cuda
        self._functions[key] = Replayed(graph.run) if on_gpu else graph.run
        if training:
            members = arguments[0].shape[0]
            self.step_bytes = max(self.step_bytes, graph.bytes // members)
            self.step_calls = max(self.step_calls, graph.calls)
        return self._functions[key]

    def _stacked_gradients(self, inputs: Tensor, targets: Tensor, *state: Tensor) -> list[Tensor]:
        set_mode(self.template, True)
        count = len(self._trained)
        leaves = [parameter.detach().requires_grad_() for parameter in state[:count]]
        with torch.enable_grad():
            losses, moved = vmap(self._loss)(leaves, list(state[count:]), inputs, targets)
            # members share no parameter: the gradients of the sum are those of each loss
            gradients = torch.autograd.grad(losses.sum(), leaves, materialize_grads=True)
        return [*(gradient.contiguous() for gradient in gradients), *moved, losses.detach()]

    def _stacked_scores(self, inputs: Tensor, targets: Tensor, *state: Tensor) -> list[Tensor]:
        set_mode(self.template, False)
        count = len(self._trained)
        with torch.no_grad():
            score = vmap(self._score)
            return list(score(list(state[:count]), list(state[count:]), inputs, targets))

    def _loss(
        self, parameters: list[Tensor], buffers: list[Tensor], inputs: Tensor, targets: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        moving = [buffer.clone() for buffer in buffers]
        outputs = self._call(parameters, moving, inputs)
        return self.objective.loss.mean(outputs, targets), moving

    def _score(
        self, parameters: list[Tensor], buffers: list[Tensor], inputs: Tensor, targets: Tensor
    ) -> tuple[Tensor, ...]:
        return self.objective.scores(self._call(parameters, buffers, inputs), targets)

    def _call(self, parameters: list[Tensor], buffers: list[Tensor], inputs: Tensor) -> Tensor:
        names = [*self._trained, *self._held]
        state = dict(zip(names, [*parameters, *buffers], strict=True))
        with torch.autocast(
            inputs.device.type, torch.bfloat16, enabled=self._bfloat16, cache_enabled=False
        ):
            outputs: Tensor = functional_call(self.template, state, (inputs,))
        buffers[:] = [state[name] for name in self._held]  # a network may put others in their place
        return outputs.float()


Program = PackedProgram | SingleProgram
"""What computes the steps and evaluations of trials of one shape.

`template` holds the network, or the networks; `largest` is the most members that it takes at once
(None: only memory limits it), and `refusal` says why it takes no more than one, if so; `precision`
is that of the forward pass; `launching` says how steps are launched on a GPU, once it is known.
"""

_programs: dict[str, PackedProgram] = {}


def program_for(
    trial: Trial, form: Form, device: torch.device, frozen: int | None = None
) -> Program:
    """Return the program of a trial; packed ones used lately are kept, with their graphs.

    `frozen` is the number of layer groups that are not trained; None: that of the first epoch.
    """
    settings = read_settings(trial.workload)
    transfer, own = settings.transfer, bool(settings.metrics)
    kept = frozen if frozen is not None else 0 if transfer is None else transfer.freeze
    shape = sorted(structure(settings.model.model_dump(mode="json")).items(), key=str)
    # with the version of own code too, which may have changed since a network of it was built
    version = trial.code_version
    how = (settings.precision, settings.accumulate > 1)
    key = repr((shape, settings.task, form, settings.loss, own, kept, str(device), version, how))
    if key in _programs:
        _programs[key] = _programs.pop(key)
        return _programs[key]
    task = settings.learns(form.kind)
    objective = task.objective(form, settings.loss) if isinstance(task, Supervised) else None
    check_goals(settings, trial)
    template = build_template(task, trial, form).to(device)
    if kept:
        if frozen is None:
            frozen = frozen_groups(transfer, len(layer_groups(template)))
        freeze(template, frozen)
    size = sum(parameter.numel() for parameter in template.parameters())
    bfloat16 = uses_bfloat16(device, size, settings.precision)
    refusal = packing_refusal(settings, task, template)
    if objective is None or refusal is not None:
        return SingleProgram(task, template, objective, str(refusal), bfloat16=bfloat16)
    program = PackedProgram(template, objective, task, bfloat16=bfloat16)
    _programs[key] = program
    while len(_programs) > LARGEST_PROGRAMS:
        del _programs[next(iter(_programs))]
    return program


def packing_refusal(settings: TrialSettings, task: Task, template: nn.Module) -> str | None:
    """Say why trials of such settings are trained one by one; None where packs are possible."""
    if not task.packable:
        return f"the task {task.name} takes steps of its own"
    if (reason := settings.model.unpackable(template)) is not None:
        return reason
    if settings.accumulate > 1:
        return "gradients are accumulated for one network"
    if settings.metrics:
        return "metrics of your own see the predictions of one network"
    return None if settings.loss.packable else "the loss does not declare itself packable"


def check_goals(settings: TrialSettings, trial: Trial) -> None:
    """Compare the goals of the user's own metrics with what the study says.

    Raises:
        ValueError: if they differ.
    """
    for name, function in settings.metrics.items():
        _check_goal(function, metric_of(f"validation.{name}", trial.workload))


def _check_goal(function: str, metric: Metric) -> None:
    """Compare what a function says of itself in its attribute `goal` with what the study says.

    Raises:
        ValueError: if they differ.
    """
    goal = getattr(own_function(function), "goal", None)
    if None not in (goal, metric.goal) and goal != metric.goal:
        raise ValueError(
            f"the study says that the goal of {metric.name} is to {metric.goal} it, and {function} "
            f"says {goal}; correct one of them"
        )


def forget_programs() -> None:
    """Build every network anew when it is next trained."""
    _programs.clear()


def uses_bfloat16(device: torch.device, parameters: int, precision: str = "auto") -> bool:
    """Whether forward passes run in bfloat16; auto: on GPUs that have it, for large networks."""
    if precision != "auto":
        return precision == "bfloat16"
    return (
        device.type == "cuda"
        and parameters >= _BFLOAT16_FROM
        and torch.cuda.is_bf16_supported(including_emulation=False)
    )
