"""One step of a network before anything is trained: what cannot be trained is known at once.

Each trial's network is built, sees one batch, has its loss, gradient and metrics taken and one step
of its optimizer; then all of it is forgotten. Random generators are left as they were.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from harness.data_spec import IGNORED, NEXT_TOKEN
from harness.isolation import Surroundings, generators_kept
from harness.layers import layer_groups, set_mode
from harness.layers.sequences import sees_later
from harness.losses._own import OwnLoss
from harness.metrics import functions
from harness.models import CustomModel, SimpleModel, build
from harness.optimizers._own import OwnOptimizer
from harness.own.calls import call_mistakes, described
from harness.own.imports import OwnImports, own_function
from harness.pretrained import own_code
from harness.registry import LOSSES
from harness.seeding import stream
from harness.tasks import Objective, Supervised, Task, task_of
from harness.train.augmentation import Augmented
from harness.train.data_parallel import data_parallel_refusal
from harness.train.device_data import Normalization, on_device
from harness.train.engine import Setting, computing
from harness.train.evaluation import one_number
from harness.train.loop import Fitted, Outcome
from harness.train.pack import Pack, PackContext
from harness.train.packed_program import (
    PackedProgram,
    forget_programs,
    packing_refusal,
    program_for,
    uses_bfloat16,
)
from harness.train.probing import run_probes
from harness.train.sharding import sharded_program, sharding_refusal
from harness.train.single_program import SingleProgram, build_template
from harness.train.stack import Stack, state_names, state_of
from harness.train.stage_products import data_of, mistake_in, own_functions
from harness.train.transfer import freeze, frozen_groups, initial_weights, load_weights
from harness.train.updates import update_for
from harness.trial import Checked, Mistake, Trial
from harness.workloads import TrialData
from harness.workloads.settings import forget_settings, read_settings

EXAMPLES = 16
"""Of the batch that a network sees; a loss of the user's own gets a whole batch."""


class WrongError(Exception):
    """What was found is wrong; the message says all there is to say."""


def dry_run(trials: Sequence[Trial], data: TrialData, setting: Setting) -> Iterator[Checked]:
    """Check trials that share their data, and the stages that they use, one by one.

    `setting.given` says what the stages are; their products are not needed.
    """
    for trial in trials:
        check = _Check(trial, data, setting)
        names, versions = own_functions(trial, setting.given)
        surroundings = Surroundings() if names else None
        # what becomes of a trial that runs out of memory, its study says
        out_of_memory = suppress(torch.OutOfMemoryError, MemoryError)
        with OwnImports(names, versions) as own:
            if names:
                forget_settings()
            with computing(setting.threads), generators_kept(), out_of_memory:
                check.carry_out()
            fault = own.fault()
        if fault and not check.mistakes:
            check.mistakes.append(Mistake(_part_of(trial.workload, names[0]), fault))
        if surroundings is not None:  # a trial imports own code anew, and is to be told as well
            surroundings.restore()
            forget_programs()
        yield Checked(trial.id, tuple(check.mistakes))


def _part_of(workload: Mapping[str, Any], name: str) -> str:
    """Return the part of a workload that names a function of the user's."""
    for part, said in workload.items():
        if name == said or (isinstance(said, Mapping) and name in said.values()):
            return part
    return "metrics" if name in functions(workload).values() else "model"


class _Check:
    """The dry run of one trial, and the mistakes that it found."""

    def __init__(self, trial: Trial, data: TrialData, setting: Setting):
        self.trial, self.data, self.setting = trial, data, setting
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.mistakes: list[Mistake] = []

    @contextmanager
    def _at(self, path: str, before: str = "") -> Iterator[None]:
        """Note what is raised as a mistake at a path of the workload."""
        try:
            yield
        except (torch.OutOfMemoryError, MemoryError):
            raise
        except WrongError as error:
            self.mistakes.append(Mistake(path, f"{before}{error}"))
        except (Exception, SystemExit) as error:
            self.mistakes.append(
                Mistake(path, before + described(error, own_code(self.trial.workload)), raised=True)
            )

    def carry_out(self) -> None:
        """Check everything that can be checked."""
        own = own_code(self.trial.workload)
        with self._at(_part_of(self.trial.workload, own[0]) if own else "model"):
            self.settings = read_settings(self.trial.workload)
        if self.mistakes:
            return
        self._check_calls()
        if self.settings.training is not None or isinstance(self.settings.model, SimpleModel):
            return
        with self._at("augmentation"):
            Augmented(self.settings.augmentation, [0], self.data.form.shape)
        if not self._use_stages():
            return
        task = self.settings.learns(self.data.form.kind)
        if not isinstance(task, Supervised):
            self._shard(task)
            self._step_of(task)
            self._run_probes()
            return
        network = None if self._is_wrong("model") else self._network()
        if not self._is_wrong("loss"):
            with self._at("loss"):
                objective = task.objective(self.data.form, self.settings.loss)
        if network is not None and not self._is_wrong("loss"):
            self._step(task, network, objective)
        self._shard(task)
        self._run_probes()

    def _run_probes(self) -> None:
        """Let each probe of the trial look at the network before its first step.

        It is shown the training examples in place of the test split, which nobody reads so early.
        """
        for kept in self.trial.probes if not self.mistakes else ():
            with self._at(f"probes.{kept['name']}"):
                data, form = self.data, self.data.form
                examples = on_device(data.examples, self.device, data.handling)
                trial = replace(self.trial, probes=(kept,))
                program = program_for(trial, form, self.device)
                given, names = self.setting.given, (data.tokens, data.columns)
                context = PackContext(examples, examples, form, program, given, *names)
                pack = Pack([trial], context)
                fitted = Fitted(Outcome({}), trial, context, [], pack.best, pack.initial, 0)
                run_probes(trial, fitted)

    def _shard(self, task: Task) -> None:
        """Take a step of the network in shares, where several processes have one each."""
        ranks = self.setting.ranks
        if ranks is None or not ranks.sharded or self.mistakes:
            return
        with self._at("model", "it cannot be shared out (strategy: fsdp): "):
            form, given = self.data.form, self.setting.given
            if (refusal := sharding_refusal(task, self.settings)) is not None:
                raise WrongError(refusal)
            workload = {**self.trial.workload, "transfer": None}  # stages are not trained yet
            trial = replace(self.trial, workload=workload)
            program = sharded_program(trial, form, self.device, ranks, given)
            data = on_device(self.data.examples, self.device, self.data.handling)
            pack = Pack([trial], PackContext(data, None, form, program, given, ranks=ranks))
            rows = torch.from_numpy(pack.members[0].division.train[:EXAMPLES])
            pack.step(*data.gather(rows[None].to(self.device), pack.normalization, axis=0))

    def _use_stages(self) -> bool:
        """Check the networks of stages against the data; add their samples and features."""
        used = {r: one for r, one in self.setting.given.items() if r in self.trial.sources}
        for role, one in used.items():
            with self._at(f"uses.{role}"):
                wrong = None if role == "initial" else mistake_in(one, role, self.data.form)
                if wrong is not None:
                    raise WrongError(wrong)
        if not self._is_wrong("uses"):
            with self._at("uses.features"):
                self.data = data_of(self.data, used, self.device)
        return not self._is_wrong("uses")

    def _step_of(self, task: Task) -> None:
        """Take one step of a task that is not supervised, and measure it."""
        with self._at("task", f"{task.name}: "):
            data = on_device(self.data.examples, self.device, self.data.handling)
            program = program_for(self.trial, self.data.form, self.device)
            given = self.setting.given
            pack = Pack([self.trial], PackContext(data, None, self.data.form, program, given))
            rows = torch.from_numpy(pack.members[0].division.train[:EXAMPLES])
            pack.step(*data.gather(rows[None].to(self.device), pack.normalization, axis=0))
            pack.validate()

    @property
    def _built_in_loss(self) -> bool:
        return self.settings.loss.name in LOSSES.own()

    def _is_wrong(self, path: str) -> bool:
        return any(f"{mistake.path}.".startswith(f"{path}.") for mistake in self.mistakes)

    def _check_calls(self) -> None:
        """Import the user's functions, and compare their parameters with what they are given."""
        training, model, optimizer, loss, metrics = (
            self.settings.training, self.settings.model, self.settings.optimizer,
            self.settings.loss, self.settings.metrics,
        )  # fmt: skip
        if training is not None:
            self._check_call("training", training.name, ("config", "report"))
            return
        if isinstance(model, CustomModel):
            given = ("shape", "outputs")
            self._check_call("model", model.name, given, model.settings, ["vocabulary"])
        if isinstance(optimizer, OwnOptimizer):
            settings = optimizer.settings
            self._check_call("optimizer", optimizer.name, ("parameters",), settings, ["lr"])
        pair = ("outputs", "targets")
        if isinstance(loss, OwnLoss):
            self._check_call("loss", loss.name, pair)
        for name, function in metrics.items():
            self._check_call(f"metrics.{name}", function, pair)

    def _check_call(
        self,
        path: str,
        name: str,
        given: Sequence[str],
        settings: Mapping[str, Any] | None = None,
        ours: Sequence[str] = (),
    ) -> None:
        """Check that a function can be imported, and called so: `name(*given, **settings)`.

        Args:
            path: of the part of the workload that names it.
            name: of the function.
            given: what it gets by position.
            settings: what it gets by name.
            ours: what the harness gives it by name, if it takes that.
        """
        function: Any = None
        with self._at(path):
            function = own_function(name)
            if not callable(function):
                kind = type(function).__name__
                raise WrongError(f"{name} is {kind}, expected a function or a class")
        if self._is_wrong(path):
            return
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):  # built in: it says itself what it is called with
            return
        for key, message in call_mistakes(list(parameters), given, settings or {}, ours):
            below = f"{path}.settings.{key}" if key else path
            self.mistakes.append(Mistake(below, f"{name} {message}"))

    def _network(self) -> nn.Module | None:
        """Build the network with its initial weights."""
        model, seed = self.settings.model, stream(self.trial.seed, "weights")
        network = None
        with self._at("model"):
            network = build(model, self.data.form, seed)
            if not list(network.parameters()):
                raise WrongError(f"{model.name} has no parameters that could be trained")
            parted = self.setting.ranks is not None or self.settings.accumulate > 1
            refusal = data_parallel_refusal(network) if parted else None
            if refusal is not None:
                raise WrongError(refusal)
        if network is None or self._is_wrong("model"):
            return None
        transfer = self.settings.transfer
        with self._at("transfer"):
            source = self.setting.given.get("initial")
            if source and source.form is not None and not source.trial.has_own_training:
                task = task_of(source.trial.workload, source.form.kind)
                state = state_of(build_template(task, source.trial, source.form))
                weights = {name: tensor.detach().numpy() for name, tensor in state.items()}
                source = replace(source, products={"weights": weights})
                load_weights(network, initial_weights(source))
            if transfer:
                freeze(network, frozen_groups(transfer, len(layer_groups(network))))
        return None if self._is_wrong("transfer") else network.to(self.device)

    def _step(self, task: Task, network: nn.Module, objective: Objective) -> None:
        """Take one step, and each metric."""
        data = on_device(self.data.examples, self.device, self.data.handling)
        division = data.division_of(self.trial)
        size, count = self.settings.batch_size, len(division.train)
        few = min(size, EXAMPLES) if self._built_in_loss else size
        rows = torch.from_numpy(division.train[:few])
        normal = Normalization([division], self.device)
        inputs, targets = data.gather(rows[None].to(self.device), normal, axis=0)

        parameters = sum(parameter.numel() for parameter in network.parameters())
        bfloat16 = uses_bfloat16(self.device, parameters, self.settings.precision)
        program = SingleProgram(task, network, objective, "alone", bfloat16=bfloat16)
        outputs = self._outputs(program, inputs[0])
        if outputs is None:
            return
        if size > 1 and count % size == 1:
            before = "the last batch of an epoch has one example: "
            with self._at("batch_size", before):
                program.outputs(program.task.main, inputs[0, :1])
        if isinstance(self.settings.model, CustomModel):
            self._check_habits(program, inputs[0], outputs)
        gradients = self._gradients(network, objective, outputs, targets[0])
        own = isinstance(self.settings.model, CustomModel) or not self._built_in_loss
        packable = packing_refusal(self.settings, task, network) is None
        if gradients is not None and own and packable:
            with self._at("model", "it declares itself packable, and cannot be: "):
                packed = PackedProgram(network, objective, bfloat16=bfloat16)
                packed.gradients(Stack.of([network]), inputs, targets)
        if not self._is_wrong("optimizer"):
            self._take_step(network, gradients)
        next_token = self.settings.data.name in NEXT_TOKEN and self.settings.task is None
        if next_token and not self.settings.model.sees_later:
            self._look_ahead(program, inputs[0], targets[0])
        if self.settings.metrics:
            rows = torch.from_numpy(division.validation)[None].to(self.device)
            inputs, _ = data.gather(rows[:, :EXAMPLES], normal, axis=0)
            targets = data.targets.index_select(0, rows[0].to(data.targets.device))
            self._measure(program, inputs[0], targets.to(self.device))

    def _outputs(self, program: SingleProgram, inputs: Tensor) -> Tensor | None:
        """Return what the network says of a batch, if it is of the right form."""
        name, form = self.settings.model.name, self.data.form
        with self._at("model"):
            set_mode(program.template, True)
            found: Any = program.outputs(program.task.main, inputs)
            if not isinstance(found, Tensor):
                raise WrongError(f"{name} gives {type(found).__name__}, expected a tensor")
            steps = form.shape[:1] if form.kind == "sequence" else ()
            expected = (len(inputs), *steps, form.outputs)
            # a loss of one's own may make use of more outputs than there are classes
            spare = not self._built_in_loss and form.kind != "numbers"
            enough = found.ndim == len(expected) and found.shape[-1] >= expected[-1]
            if found.shape != expected and not (
                spare and enough and found.shape[:-1] == expected[:-1]
            ):
                raise WrongError(f"{name} gives {tuple(found.shape)}, expected {expected}")
            if not found.is_floating_point():
                kind = str(found.dtype).removeprefix("torch.")
                raise WrongError(f"{name} gives numbers of type {kind}, expected float32")
            if not found.requires_grad:
                raise WrongError(f"{name} gives outputs that do not depend on its parameters")
            return found
        return None

    def _check_habits(self, program: SingleProgram, inputs: Tensor, outputs: Tensor) -> None:
        """Refuse two slips of a network that trains all the same, but worse than it could."""
        name, loss = self.settings.model.name, self.settings.loss.name
        with self._at("model"):
            of_classes = self.data.form.kind != "numbers" and loss in ("auto", "cross_entropy")
            if of_classes and bool(((outputs > 0) & (outputs < 1)).all()):
                raise WrongError(
                    f"{name} gives numbers between 0 and 1 only, as after a softmax or sigmoid, "
                    "which the loss applies itself: return what goes into it (logits)"
                )
            program.template.eval()
            with torch.no_grad():
                one, other = (program.outputs(program.task.main, inputs) for _ in range(2))
            set_mode(program.template, True)
            alike = torch.allclose(one, other, rtol=1e-3, atol=1e-5, equal_nan=True)
            if not alike and not getattr(program.template, "stochastic", False):
                raise WrongError(
                    f"{name} gives other outputs each time when it is evaluated, such as by "
                    "F.dropout(x) without training=self.training; if that is meant, set "
                    "`self.stochastic = True`"
                )

    def _look_ahead(self, program: SingleProgram, inputs: Tensor, targets: Tensor) -> None:
        """Find out whether an output changes if tokens after it do, which are to be predicted.

        Only places count that have a target: what comes before the first one may be read both ways.
        """
        with self._at("model"):
            program.template.eval()

            def network(tokens: Tensor) -> Tensor:
                return program.outputs(program.task.main, tokens)

            if sees_later(network, inputs, inputs.flip(0), targets != IGNORED):
                raise WrongError(
                    f"{self.settings.model.name} reads the tokens that it is to predict: an "
                    "output changes if tokens after it do; take a network that reads in one "
                    "direction"
                )

    def _gradients(
        self, network: nn.Module, objective: Objective, outputs: Tensor, targets: Tensor
    ) -> list[Tensor] | None:
        """Return the gradient of the loss."""
        names = dict(network.named_parameters())
        trained = [names[name] for name in state_names(network)[0]]
        with self._at("model" if self._built_in_loss else "loss"):
            value = objective.loss.alone(outputs, targets)
            if not value.requires_grad:
                name = self.settings.loss.name
                raise WrongError(f"{name} returned a number that has no gradient")
            if not self._built_in_loss and _is_sum(objective.loss.alone, outputs, targets, value):
                raise WrongError(
                    f"{self.settings.loss.name} returned the sum over a batch, expected the mean: "
                    "else a larger batch is a larger learning rate"
                )
            found = torch.autograd.grad(value, trained, allow_unused=True)
            if all(gradient is None for gradient in found):
                raise WrongError("no parameter that is trained has a gradient")
            pairs = zip(found, trained, strict=True)
            return [torch.zeros_like(p) if g is None else g for g, p in pairs]
        return None

    def _take_step(self, network: nn.Module, gradients: Sequence[Tensor] | None) -> None:
        """Take one step of the optimizer."""
        with self._at("optimizer"):
            stack = Stack.of([network])
            settings = self.settings
            update = update_for([settings.scheduled], network, stack, settings.transfer)
            if gradients is None:
                update.step([torch.zeros_like(parameter) for parameter in stack.parameters])
            else:
                update.step([gradient[None].contiguous() for gradient in gradients])

    def _measure(self, program: SingleProgram, inputs: Tensor, targets: Tensor) -> None:
        """Take each metric of the user's own, of as many outputs as the validation split has.

        A few outputs of the network are repeated: a metric may need all classes among the targets.
        """
        with self._at("model"), torch.no_grad():
            program.template.eval()
            few = program.outputs(program.task.main, inputs)
            outputs = few.repeat(-(-len(targets) // len(few)), *[1] * (few.ndim - 1))
            for name, function in self.settings.metrics.items():
                path = f"metrics.{name}"
                if not self._is_wrong(path):
                    with self._at(path):
                        one_number(function, outputs[: len(targets)].clone(), targets.clone())


def _is_sum(
    loss: Callable[[Tensor, Tensor], Tensor], outputs: Tensor, targets: Tensor, value: Tensor
) -> bool:
    """Whether a loss is twice as large for a batch in which every example stands twice."""
    with suppress(Exception), torch.no_grad():  # it may know its batch size
        twice = loss(outputs.repeat(2, *[1] * (outputs.ndim - 1)),
                     targets.repeat(2, *[1] * (targets.ndim - 1)))  # fmt: skip
        return bool(value != 0 and torch.isclose(twice, 2 * value, rtol=1e-3, atol=0.0))
    return False
