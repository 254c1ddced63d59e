"""Products of stages in the trial that uses them: a frozen network, samples, embeddings as inputs.

Predictions and embeddings of a stage's network are not stored but computed here, from the examples
that the trial may see: those of the test split exist in confirmation trials alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.data_spec import Form
from harness.layers import last_hidden
from harness.pretrained import own_code
from harness.seeding import stream
from harness.tasks import Stage, task_of
from harness.train.device_data import Division, Normalization, Splits
from harness.train.single_program import build_template, networks_of
from harness.train.stack import state_of
from harness.trial import Given, Products, Trial
from harness.workloads import Examples, TrialData

BATCH = 512

StagesByRole = Mapping[str, Given]
"""What a trial is given of stages, by their role."""


def own_functions(trial: Trial, given: StagesByRole) -> tuple[list[str], dict[str, str]]:
    """Return the user's functions that a trial calls, and what identified each when it was planned.

    They are its own, and those of the networks of stages, except for the stage whose weights it
    starts from: of that one it needs no network.
    """
    names, versions = dict.fromkeys(own_code(trial.workload, trial.probes)), dict(trial.own_code)
    for role, stage in given.items():
        if role != "initial" and not stage.trial.has_own_training:
            names |= dict.fromkeys(own_code(stage.trial.workload))
            versions |= stage.trial.own_code
    return list(names), versions


class StageNetwork:
    """A stage's network with its weights, which are kept as they are; see `harness.tasks.Stage`."""

    def __init__(self, given: Given, device: torch.device, own: Callable[[], Normalization | None]):
        self._given, self._device, self._trial_normalization = given, device, own
        self._stage_normalization = normalization_of(given.products, device)

    @cached_property
    def network(self) -> nn.Module:
        """The main network of the stage; with its initial weights where none are given.

        Raises:
            ValueError: if the weights do not fit it.
        """
        trial, form = self._given.trial, self._given.form
        if form is None or trial.has_own_training:
            raise ValueError("a training of one's own left no network that could be built again")
        task = task_of(trial.workload, form.kind)
        template = build_template(task, trial, form)
        weights = self._given.products.get("weights")
        if weights is not None:
            state = state_of(template)
            if state.keys() != weights.keys():
                raise ValueError("the weights of the stage do not fit its network")
            with torch.no_grad():
                for name, tensor in state.items():
                    tensor.copy_(torch.from_numpy(np.array(weights[name])))
        template.requires_grad_(False)
        return networks_of(template, task)[task.main].to(self._device).eval()

    def predictions(self, inputs: Tensor) -> Tensor:
        """See `harness.tasks.Stage`."""
        with torch.no_grad():
            return self._outputs(self._as_stage_inputs(inputs))

    def embeddings(self, inputs: Tensor) -> Tensor:
        """See `harness.tasks.Stage`."""
        return self._embedded(self._as_stage_inputs(inputs))

    def embedded(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """Return the embeddings of inputs as a data set has them, (n, features)."""
        parts = []
        for part in torch.from_numpy(np.array(raw)).split(BATCH):
            rows = (part.float().div(255) if part.dtype == torch.uint8 else part)[None]
            rows = rows.to(self._device)
            if self._stage_normalization is not None:
                rows = self._stage_normalization.apply_(rows, axis=0)
            parts.append(self._embedded(rows[0]).cpu().float().numpy())
        return np.concatenate(parts)

    def samples(self, count: int, seed: int) -> Tensor:
        """Return examples that the stage's network draws, normalized for the trial at hand."""
        form = self._given.form
        assert form is not None
        task: Any = task_of(self._given.trial.workload, form.kind)
        draws = torch.Generator().manual_seed(stream(seed, "samples"))
        with torch.no_grad():
            drawn = task.sample(self.network, count, draws, form.shape)
        return _renormalized(drawn, self._stage_normalization, self._trial_normalization())

    def _embedded(self, inputs: Tensor) -> Tensor:
        found = last_hidden(self.network, inputs)
        if found is None:
            raise ValueError("the network has no last hidden layer: nothing embeds its inputs")
        return found

    def _outputs(self, inputs: Tensor) -> Tensor:
        return torch.cat([self.network(part) for part in inputs.split(BATCH)])

    def _as_stage_inputs(self, inputs: Tensor) -> Tensor:
        return _renormalized(inputs, self._trial_normalization(), self._stage_normalization)


def _renormalized(
    rows: Tensor, before: Normalization | None, after: Normalization | None
) -> Tensor:
    """Return rows (n, ...) normalized in another way than before; token ids stay as they are."""
    if before is None or after is None or not rows.is_floating_point():
        return rows
    if torch.equal(before.mean, after.mean) and torch.equal(before.scale, after.scale):
        return rows
    return after.apply_(before.undone(rows)[None], axis=0)[0]


def stages_of(
    given: StagesByRole, device: torch.device, own: Callable[[], Normalization | None]
) -> dict[str, Stage]:
    """Return the stages that a task and its probes can ask, by role.

    Args:
        given: of the trial.
        device: where they answer.
        own: returns what normalizes the trial's inputs.
    """
    asked = {role: one for role, one in given.items() if role != "initial"}
    return {role: StageNetwork(one, device, own) for role, one in asked.items()}


def normalization_arrays(division: Division) -> dict[str, NDArray[Any]]:
    """Return mean and scale of the inputs as named arrays, to be kept with a stage's weights."""
    return {"mean": np.asarray(division.mean), "scale": np.asarray(division.scale)}


def normalization_of(products: Products, device: torch.device) -> Normalization | None:
    """Return how the inputs of a stage were normalized; None if that is not known."""
    known = products.get("normalization")
    if known is None:
        return None
    none = np.empty(0, np.int64)
    return Normalization([Division(none, none, known["mean"], known["scale"])], device)


def data_of(data: TrialData, given: StagesByRole, device: torch.device) -> TrialData:
    """Return a trial's data, with samples of a stage added, or replaced by a stage's embeddings.

    Raises:
        ValueError: if the samples are not of the form of the data.
    """
    if "augmentation" in given:
        one = given["augmentation"]
        products = one.products if one.trial.has_own_training else drawn_by(one, device)
        data = replace(data, examples=_with_samples(data, products))
    if "features" in given:
        stage = StageNetwork(given["features"], device, lambda: None)

        def embedded(one: Examples) -> Examples:
            return replace(one, inputs=stage.embedded(one.inputs))

        examples = embedded(data.examples)
        form = Form(examples.inputs.shape[1:], data.form.outputs, data.form.kind)
        test = None if data.test is None else embedded(data.test)
        handling = replace(data.handling, normalization="feature")
        data = replace(data, examples=examples, test=test, form=form, handling=handling)
        data = replace(data, tokens=(), columns=())
    return data


def drawn_by(given: Given, device: torch.device) -> Products:
    """Return samples with classes that the network of a conditional stage draws; none untrained."""
    if "weights" not in given.products:
        return {}
    assert given.form is not None
    task: Any = task_of(given.trial.workload, given.form.kind)
    stage = StageNetwork(given, device, lambda: None)
    draws = torch.Generator().manual_seed(stream(given.trial.seed, "samples"))
    with torch.no_grad():
        inputs, classes = task.sample_with_classes(
            stage.network, task.drawn, draws, given.form.shape
        )
    samples = {"inputs": inputs.cpu().numpy(), "targets": classes.cpu().numpy()}
    return {**given.products, "samples": samples}


def _with_samples(data: TrialData, products: Products) -> Examples:
    """Return a trial's examples with samples after them, which are for training alone."""
    samples, examples = products.get("samples", {}), data.examples
    if not samples:  # a dry run, which has none
        return examples
    if set(samples) != {"inputs", "targets"}:
        raise ValueError(f"samples need `inputs` and `targets`; these have {', '.join(samples)}")
    inputs, targets = samples["inputs"], samples["targets"]
    wanted = (len(inputs), *examples.inputs.shape[1:]), (len(inputs), *examples.targets.shape[1:])
    if (inputs.shape, targets.shape) != wanted:
        raise ValueError(
            f"the samples have inputs {inputs.shape} and targets {targets.shape}; expected "
            f"{wanted[0]} and {wanted[1]}"
        )
    classes = data.form.kind == "class"
    if classes and not (targets.min() >= 0 and targets.max() < data.form.outputs):
        raise ValueError(f"the samples have classes outside 0 to {data.form.outputs - 1}")
    known = examples.inputs
    if known.dtype == np.uint8:
        known = known.astype(np.float32) / 255
    norm = products.get("normalization")
    if norm is not None and np.issubdtype(known.dtype, np.floating):
        inputs = inputs / norm["scale"] + norm["mean"]
    return replace(
        examples,
        inputs=np.concatenate([known, inputs.astype(known.dtype)]),
        targets=np.concatenate([examples.targets, targets.astype(examples.targets.dtype)]),
        added=len(inputs),
    )


class StageArrays(dict[str, Any]):
    """What a training of the user's own is given of a stage: arrays, by product.

    What the network of a stage makes is computed when it is first asked for: `predictions` and
    `embeddings` of each split that the trial has, `samples` as many as there are training examples.
    """

    def __init__(self, given: Given, seed: int, splits: Splits | None, own: Normalization | None):
        kept = {k: part for k, part in given.products.items() if k != "normalization"}
        super().__init__({k: {n: np.array(a) for n, a in part.items()} for k, part in kept.items()})
        self._stage = StageNetwork(given, torch.device("cpu"), lambda: own)
        self._seed, self._splits = seed, splits
        form = None if given.trial.has_own_training else given.form
        gives = () if form is None else task_of(given.trial.workload, form.kind).gives
        self._made = tuple(product for product in gives if product != "weights")

    def __missing__(self, product: str) -> Any:
        """Make a product.

        Raises:
            KeyError: if the stage does not give it.
        """
        if product not in self._made or self._splits is None:
            known = ", ".join([*self, *(self._made if self._splits is not None else ())])
            raise KeyError(f"{product}: the stage gives {known or 'nothing'}")
        splits = self._splits
        if product == "samples":
            drawn = self._stage.samples(len(splits.train), self._seed)
            self[product] = {"inputs": drawn.numpy()}
        else:
            make = getattr(self._stage, product)
            parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
            self[product] = {
                name: None if part is None else make(part.inputs).numpy()
                for name, part in parts.items()
            }
        return self[product]


def mistake_in(given: Given, role: str, form: Form) -> str | None:
    """Say why a stage's network cannot be used on data of a form; None if it can.

    Args:
        given: of the stage.
        role: of the stage.
        form: of the data of the trial that uses it.
    """
    theirs = given.form
    if theirs is None:
        return None
    if (theirs.shape, theirs.vocabulary) != (form.shape, form.vocabulary):
        return (
            f"the stage that is used as {role} has inputs of shape {theirs.shape}"
            f"{_ids(theirs)}; these are of shape {form.shape}{_ids(form)}"
        )
    if role == "teacher" and (theirs.kind, theirs.outputs) != (form.kind, form.outputs):
        return (
            f"the teacher tells {theirs.outputs} {_outputs(theirs)} and the data have "
            f"{form.outputs} {_outputs(form)}"
        )
    return None


def _ids(form: Form) -> str:
    return "" if form.vocabulary is None else f", {form.vocabulary} token ids"


def _outputs(form: Form) -> str:
    return "numbers" if form.kind == "numbers" else "classes"
