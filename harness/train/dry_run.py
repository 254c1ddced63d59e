"""One step of a network before anything is trained: what cannot be trained is known at once.

Each trial's network is built, sees one batch, has its loss, gradient and metrics taken and one step
of its optimizer; then all of it is forgotten. Random generators are left as they were.
"""

from __future__ import annotations

import inspect
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import harness
from harness.errors import nearest
from harness.isolation import Surroundings, generators_kept
from harness.layers import layer_groups, set_mode
from harness.losses import is_built_in, loss_name
from harness.metrics import functions
from harness.models import build, is_simple, unpackable_reason
from harness.own.imports import OwnImports, missing, own_function
from harness.pretrained import own_code
from harness.seeding import stream
from harness.tasks import Objective, Supervised, Task, task_of
from harness.train.augmentation import Augmented
from harness.train.data_parallel import data_parallel_refusal
from harness.train.device_data import Normalization, on_device
from harness.train.engine import Setting
from harness.train.environment import computing
from harness.train.own_objective import one_number, own_refusal
from harness.train.pack import Pack, PackContext, scheduled
from harness.train.packed_program import (
    PackedProgram,
    forget_programs,
    objective_of,
    program_for,
    uses_bfloat16,
)
from harness.train.single_program import SingleProgram
from harness.train.stack import Stack, state_names
from harness.train.stage_products import data_of, mistake_in, own_functions
from harness.train.transfer import freeze, frozen_groups, load_weights, transfer_of
from harness.train.updates import update_for
from harness.trial import Checked, Mistake, Trial
from harness.workloads import TrialData

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
    for part in ("training", "model", "optimizer"):
        if (workload.get(part) or {}).get("name") == name:
            return part
    return "loss" if loss_name(workload) == name else "metrics"


class _Check:
    """The dry run of one trial, and the mistakes that it found."""

    def __init__(self, trial: Trial, data: TrialData, setting: Setting):
        self.trial, self.data, self.setting = trial, data, setting
        self.workload = trial.workload
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
            self.mistakes.append(Mistake(path, before + _said(error, self.workload), raised=True))

    def carry_out(self) -> None:
        """Do it all, as far as it can be done."""
        self._check_calls()
        training = self.workload.get("training")
        if training or is_simple(self.workload["model"]):
            return
        with self._at("augmentation"):
            if self.workload.get("augmentation") is not None:
                Augmented(self.workload["augmentation"], [0], self.data.form.shape)
        if not self._use_stages():
            return
        task = task_of(self.workload, self.data.form.kind)
        if not isinstance(task, Supervised):
            self._step_of(task)
            return
        network = None if self._is_wrong("model") else self._network()
        objective = None if self._is_wrong("loss") else self._objective(task)
        if network is not None and objective is not None:
            self._step(task, network, objective)

    def _use_stages(self) -> bool:
        """Check the networks of stages against the data; take over what they make of the inputs."""
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

    def _is_wrong(self, path: str) -> bool:
        return any(f"{mistake.path}.".startswith(f"{path}.") for mistake in self.mistakes)

    def _check_calls(self) -> None:
        """Import the user's functions, and compare their parameters with what they are given."""
        workload = self.workload
        training = workload.get("training")
        if training:
            self._check_call("training", training["name"], ("config", "report"))
            return
        model, optimizer = workload["model"], workload["optimizer"]
        if ":" in model["name"]:
            given = model["settings"]
            self._check_call("model", model["name"], ("shape", "outputs"), given, ["vocabulary"])
        if ":" in optimizer["name"]:
            given = optimizer.get("settings", {})
            self._check_call("optimizer", optimizer["name"], ("parameters",), given, ["lr"])
        pair = ("outputs", "targets")
        if ":" in loss_name(workload):
            self._check_call("loss", loss_name(workload), pair)
        for name, function in functions(workload).items():
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
        function: Callable[..., Any] | None = None
        with self._at(path):
            function = _found(name)
        if function is None:
            return
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):  # built in: it says itself what it is called with
            return
        for key, message in call_mistakes(list(parameters), given, settings or {}, ours):
            below = f"{path}.settings.{key}" if key else path
            self.mistakes.append(Mistake(below, f"{name} {message}"))

    def _network(self) -> nn.Module | None:
        """Build the network, as it would start."""
        config, seed = self.workload["model"], stream(self.trial.seed, "weights")
        network = None
        with self._at("model"):
            network = build(config, self.data.form, seed)
            if not list(network.parameters()):
                raise WrongError(f"{config['name']} has no parameters that could be trained")
            refusal = data_parallel_refusal(network) if self.setting.ranks is not None else None
            if refusal is not None:
                raise WrongError(refusal)
        if network is None or self._is_wrong("model"):
            return None
        transfer = transfer_of(self.workload)
        with self._at("transfer"):
            source = self.setting.given.get("initial")
            own = source is not None and source.trial.workload.get("training")
            if source is not None and source.form is not None and not own:
                before = build(source.trial.workload["model"], source.form, seed)
                state = {**dict(before.named_parameters()), **dict(before.named_buffers())}
                load_weights(network, {name: t.detach().numpy() for name, t in state.items()})
            if transfer:
                freeze(network, frozen_groups(transfer, len(layer_groups(network))))
        return None if self._is_wrong("transfer") else network.to(self.device)

    def _objective(self, task: Task) -> Objective | None:
        with self._at("loss"):
            return objective_of(self.workload, self.data.form, task)
        return None

    def _step(self, task: Task, network: nn.Module, objective: Objective) -> None:
        """Take one step, and each metric."""
        data = on_device(self.data.examples, self.device, self.data.handling)
        division = data.division(self.workload["data"]["validation_fraction"], self.trial.seed)
        size, count = self.workload["batch_size"], len(division.train)
        few = min(size, EXAMPLES) if is_built_in(self.workload) else size
        rows = torch.from_numpy(division.train[:few])
        normal = Normalization([division], self.device)
        inputs, targets = data.gather(rows[None].to(self.device), normal, axis=0)

        parameters = sum(parameter.numel() for parameter in network.parameters())
        bfloat16 = uses_bfloat16(self.device, parameters)
        program = SingleProgram(task, network, objective, "alone", bfloat16=bfloat16)
        outputs = self._outputs(program, inputs[0])
        if outputs is None:
            return
        if size > 1 and count % size == 1:
            before = "the last batch of an epoch has one example: "
            with self._at("batch_size", before):
                program.outputs(program.task.main, inputs[0, :1])
        gradients = self._gradients(network, objective, outputs, targets[0])
        if gradients is not None and self._can_be_packed(network):
            with self._at("model", "it declares itself packable, and cannot be: "):
                packed = PackedProgram(network, objective, bfloat16=bfloat16)
                packed.gradients(Stack.of([network]), inputs, targets)
        if not self._is_wrong("optimizer"):
            self._take_step(network, gradients)
        if self.workload.get("metrics"):
            rows = torch.from_numpy(division.validation)[None].to(self.device)
            inputs, _ = data.gather(rows[:, :EXAMPLES], normal, axis=0)
            targets = data.targets.index_select(0, rows[0].to(data.targets.device))
            self._measure(program, inputs[0], targets.to(self.device))

    def _outputs(self, program: SingleProgram, inputs: Tensor) -> Tensor | None:
        """Return what the network says of a batch, if it is of the right form."""
        name, form = self.workload["model"]["name"], self.data.form
        with self._at("model"):
            set_mode(program.template, True)
            found: Any = program.outputs(program.task.main, inputs)
            if not isinstance(found, Tensor):
                raise WrongError(f"{name} gives {type(found).__name__}, expected a tensor")
            steps = form.shape if form.kind == "sequence" else ()
            expected = (len(inputs), *steps, form.outputs)
            # a loss of one's own may make use of more outputs than there are classes
            spare = not is_built_in(self.workload) and form.kind != "numbers"
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

    def _gradients(
        self, network: nn.Module, objective: Objective, outputs: Tensor, targets: Tensor
    ) -> list[Tensor] | None:
        """Return the gradient of the loss."""
        names = dict(network.named_parameters())
        trained = [names[name] for name in state_names(network)[0]]
        with self._at("model" if is_built_in(self.workload) else "loss"):
            value = objective.loss.alone(outputs, targets)
            if not value.requires_grad:
                raise WrongError(
                    f"{loss_name(self.workload)} returned a number that has no gradient"
                )
            found = torch.autograd.grad(value, trained, allow_unused=True)
            if all(gradient is None for gradient in found):
                raise WrongError("no parameter that is trained has a gradient")
            pairs = zip(found, trained, strict=True)
            return [torch.zeros_like(p) if g is None else g for g, p in pairs]
        return None

    def _can_be_packed(self, network: nn.Module) -> bool:
        """Whether code of the user's own is trained in packs, which it then has to be fit for."""
        own = ":" in self.workload["model"]["name"] or not is_built_in(self.workload)
        refusal = unpackable_reason(self.workload["model"], network) or own_refusal(self.workload)
        return bool(own) and refusal is None

    def _take_step(self, network: nn.Module, gradients: Sequence[Tensor] | None) -> None:
        """Take one step of the optimizer."""
        with self._at("optimizer"):
            stack = Stack.of([network])
            update = update_for([scheduled(self.trial)], network, stack, transfer_of(self.workload))
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
            for name, function in functions(self.workload).items():
                path = f"metrics.{name}"
                if not self._is_wrong(path):
                    with self._at(path):
                        one_number(function, outputs[: len(targets)].clone(), targets.clone())


def call_mistakes(
    parameters: Sequence[inspect.Parameter],
    given: Sequence[str],
    settings: Mapping[str, Any],
    ours: Sequence[str],
) -> list[tuple[str, str]]:
    """Return what is wrong with a call, as pairs of a setting (or nothing) and a sentence.

    Args:
        parameters: of the function.
        given: what it gets by position.
        settings: what it gets by name.
        ours: names of what it may get beside that.
    """
    kinds = inspect.Parameter
    placed = [
        p for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
    ]
    wanted = f"takes ({', '.join(map(str, parameters))}); it is called with ({', '.join(given)})"
    if len(placed) < len(given) and not any(p.kind is kinds.VAR_POSITIONAL for p in parameters):
        return [("", wanted)]
    first = {p.name for p in placed[: len(given)]}
    by_name = (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
    named = {p.name: p for p in parameters if p.kind in by_name and p.name not in first}
    valid = [name for name in named if name not in ours]
    found = []
    for key in settings:
        if key in first or key in ours:
            found.append((key, f"gets '{key}' from the harness; it is no setting"))
        elif key not in named and not any(p.kind is kinds.VAR_KEYWORD for p in parameters):
            known = ", ".join(valid) or "none"
            found.append((key, f"has no setting '{key}'{nearest(key, valid)} (known: {known})"))
    needed = [p for p in placed[len(given) :] if p.kind is kinds.POSITIONAL_ONLY]
    needed += list(named.values())
    missing = [p.name for p in needed if p.default is p.empty and p.name not in (*settings, *ours)]
    if missing and ours:
        found.append(("", f"needs a value for {' and '.join(missing)} under `settings`"))
    elif missing:
        found.append(("", wanted))
    return found


def _found(name: str) -> Callable[..., Any]:
    """Import a function of the user's."""
    found: Any = own_function(name)
    if not callable(found):
        raise WrongError(f"{name} is {type(found).__name__}, expected a function or a class")
    function: Callable[..., Any] = found
    return function


def _said(error: BaseException, workload: Mapping[str, Any]) -> str:
    """Say what was raised, and at which line of the user's own code, if at one."""
    text = ". ".join(filter(None, [str(error).strip().partition("\n")[0], missing(error)]))
    told = f"{type(error).__name__}: {text}" if text else type(error).__name__
    own = {
        str(file)
        for name in own_code(workload)
        if (file := getattr(sys.modules.get(name.partition(":")[0]), "__file__", None))
    }
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_own(f.filename, own)]
    if frames:
        return f"{_shown(frames[-1].filename)}:{frames[-1].lineno}: {told}"
    return text if isinstance(error, ValueError | TypeError) and text else told


def _is_own(file: str, own: set[str]) -> bool:
    """Whether a file is the user's, and no library's."""
    if file in own:
        return True
    libraries = [sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib")]
    libraries.append(str(Path(harness.__file__).parent))
    return not file.startswith(("<", *libraries))


def _shown(file: str) -> str:
    """Return a file's path from where modules are looked for, without folders of the machine."""
    for folder in (Path.cwd(), *map(Path, sys.path)):
        if Path(file).is_relative_to(folder.absolute()):
            return str(Path(file).relative_to(folder.absolute()))
    return Path(file).name
