"""What a task is: what is learned, by which networks, and what one step of it does.

A task is one class in one module of this package. Its fields are what a study can set; its methods
build the networks, take a step and measure. Everything else is the engine's and serves every task:
the loop, seeds, batches, schedules, clipping, early stopping, pruning, checkpoints, divergence,
probes, records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from harness.components.base import Component
from harness.data_spec import Form, Kind
from harness.losses.base import Loss
from harness.metrics import Metric

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from harness.models import Network
    from harness.optimizers.base import Optimizer
    from harness.workloads.settings import TrialSettings

Reduction = Literal["sum", "max"]
OfWhole = Callable[["Tensor", "Tensor"], Mapping[str, "Tensor"]]
Builder = Callable[["Network", Form, str], "nn.Module"]
"""From a model's settings, the form of its inputs and outputs, and the name of the part it is, to
a network with initial weights of the trial's seed."""


@dataclass(frozen=True)
class Batch:
    """Examples on the device: inputs (batch, ...), normalized, and targets (batch, ...)."""

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)


class Stage(Protocol):
    """A stage whose products a task uses. Its network is kept as it is, in evaluation."""

    @property
    def network(self) -> nn.Module:
        """The stage's main network, with its weights."""

    def predictions(self, inputs: Tensor) -> Tensor:
        """Return what the stage's network says of inputs that are normalized for this trial.

        Args:
            inputs: (batch, ...), augmented or not. They are normalized as the stage's own were.

        Returns:
            Outputs such as logits, (batch, outputs), without a gradient.
        """

    def embeddings(self, inputs: Tensor) -> Tensor:
        """Return what the last layer of the stage's network reads, (batch, features)."""


class State(Protocol):
    """One trial in training, as a task sees it."""

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """The networks that the task built, by the names of their parts."""

    @property
    def generator(self) -> Generator:
        """Random draws of the trial's own, on the CPU; in an evaluation the same each time."""

    @property
    def device(self) -> Any:
        """Where networks and batches are."""

    @property
    def form(self) -> Form:
        """Of the data."""

    @property
    def given(self) -> Mapping[str, Stage]:
        """The stages that the trial uses, by role, but for the one it starts from."""

    @property
    def objective(self) -> Objective | None:
        """Loss and metrics of a supervised task."""

    def outputs(self, part: str, inputs: Tensor) -> Tensor:
        """Return what a network says, in the precision of the training, as float32."""

    def update(self, part: str, loss: Tensor) -> None:
        """Take one step of a part's optimizer down the gradient of a loss.

        The gradient is averaged over the processes that train together, clipped, and followed at
        the learning rate that the schedule has at this step.
        """


class Task(Component):
    """What is learned. A subclass has a `name` of one value, which is also its module's name."""

    name: str

    metrics: ClassVar[tuple[Metric, ...]]
    """What is measured on every split."""
    selects: ClassVar[str]
    """The metric that chooses the epoch, on the validation split, and a search's candidate."""
    targets: ClassVar[tuple[Kind, ...]]
    """The kinds of targets that it can learn from."""
    takes: ClassVar[Mapping[str, str]] = {}
    """The roles that stages can have (`uses: {role: NAME}`), and the product that each needs."""
    needs: ClassVar[tuple[str, ...]] = ()
    prunes: ClassVar[bool] = False
    """The roles among them that it cannot do without."""
    gives: ClassVar[tuple[str, ...]] = ("weights",)
    """The products that others can use where a trial of this task is a stage. One that gives
    `samples` has a method `sample(network, count, draws, shape)`, as `adversarial` has."""
    of_inputs: ClassVar[tuple[str, ...]] = ()
    """Those of its metrics that are in the unit of the inputs: arms that scale them in another way
    are not compared by them."""
    defined_by: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Settings that decide what a metric counts, by the metric: arms in which they differ are not
    compared by it, and no search chooses them by it."""
    only_measures: ClassVar[tuple[str, ...]] = ()
    """Settings that change what is measured, and nothing of what is learned."""
    packable: ClassVar[bool] = False
    """Whether several trials can be trained as one program (see `Supervised`)."""
    main: ClassVar[str] = "model"
    """The part that probes look at."""
    model_at: ClassVar[str] = ""
    """Where the study's `model` is, if it is a part of a larger network: how the names of its
    weights begin there. A trial that starts from a stage takes over these."""
    per_example: ClassVar[tuple[str, ...]] = ()
    """The metrics that are means over the examples of a split, or (`Metric.root`) the square root
    of one, and of which `outcomes` gives each example's own number: with them, an interval covers
    the choice of the test examples too. Which examples depend on each other is for the data to say
    (`clusters`)."""

    @property
    def measures(self) -> Mapping[str, Metric]:
        """The metrics by name."""
        return {metric.name: metric for metric in self.metrics}

    def refusal(self, workload: Any) -> str | None:
        """Say what of a checked workload does not go with this task; None if all does."""
        del workload
        return None

    def build(
        self, settings: TrialSettings, form: Form, network: Builder
    ) -> Mapping[str, nn.Module]:
        """Return the networks by the names of their parts.

        Args:
            settings: of the trial.
            form: of the data.
            network: builds one from its settings.
        """
        return {self.main: network(settings.model, form, self.main)}

    def optimizers(self, settings: TrialSettings) -> Mapping[str, Optimizer]:
        """Return each part's optimizer; a part without one is not trained."""
        return {self.main: settings.optimizer}

    def step(self, state: State, batch: Batch) -> Mapping[str, Tensor]:
        """Learn from a batch: one update, or several of several parts in turn.

        Returns:
            What the training curve shows of it, each of shape (); one is called `loss`.
        """
        raise NotImplementedError

    def evaluate(self, state: State, split: Batch) -> Mapping[str, float]:
        """Return each of the task's `metrics` on a split."""
        raise NotImplementedError

    def served(self, network: nn.Module) -> nn.Module:
        """Return the network that answers for the main one where nothing is trained.

        It is asked for what is measured of a split and what `timing: {measure: [inference]}` times.
        A task that gives another one is not packable.

        Args:
            network: the main one, in evaluation; it is not to be changed.
        """
        return network

    def outcomes(self, outputs: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        """Return what each example adds to the metrics of `per_example`, each of shape (batch,).

        Beside these, perhaps `weight` (`harness.trial.WEIGHT`), likewise, if examples count unlike
        in the mean.

        Args:
            outputs: of the main network, with the batch in front.
            targets: likewise.
        """
        # With a word, since only a task that declares `per_example` has to write it.
        raise NotImplementedError(f"outcomes of {self.per_example}")


class Scores(Protocol):
    """What a supervised task measures, as sums over examples, which batches and packs add up.

    Outputs and targets are those of one network, with the batch in front. A metric that is no such
    sum is measured by `of_whole`, an attribute that scores may have (`Objective.of_whole`).
    """

    reductions: tuple[Reduction, ...]
    """How the totals of batches make those of a whole split."""

    def scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Return the totals of a batch, each of shape ()."""

    def metrics(self, totals: Tensor, count: int) -> dict[str, Tensor]:
        """Return each metric, of shape (members,) in double precision; `loss` is the usual loss.

        Args:
            totals: of a whole split, shape (totals, members).
            count: of its examples.
        """


class Objective:
    """The loss that a network learns by, and what is measured of it; see `Scores`."""

    def __init__(self, loss: Loss, scores: Scores, *, usual: bool):
        """Put them together.

        Args:
            loss: of the training.
            scores: of the task.
            usual: whether the loss is the task's usual one, which `scores` gives anyway.
        """
        self.loss, self.usual, self._scores = loss, usual, scores
        own: tuple[Reduction, ...] = () if usual else ("sum", "sum")
        self.reductions: tuple[Reduction, ...] = (*own, *scores.reductions)

    @property
    def of_whole(self) -> OfWhole | None:
        """What measures the outputs of a whole split at once, if the task asks for such metrics.

        From outputs (members, examples, ...) and targets likewise to metrics, each (members,).
        """
        found: OfWhole | None = getattr(self._scores, "of_whole", None)
        return found

    def scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """See `Scores`."""
        own = () if self.usual else self.loss.totals(outputs, targets)
        return *own, *self._scores.scores(outputs, targets)

    def metrics(self, totals: Tensor, count: int) -> dict[str, Tensor]:
        """See `Scores`; `loss` is the loss that a network learns by."""
        if self.usual:
            return self._scores.metrics(totals, count)
        return {**self._scores.metrics(totals[2:], count), "loss": totals[0] / totals[1]}


class Supervised(Task):
    """One network, whose outputs are compared with targets by a loss that is a mean over examples.

    Such tasks are packable: the step of many members at once is the same arithmetic, which the
    engine derives from the objective.
    """

    takes: ClassVar[Mapping[str, str]] = {
        "initial": "weights", "features": "embeddings", "augmentation": "samples",
    }  # fmt: skip
    gives: ClassVar[tuple[str, ...]] = ("weights", "predictions", "embeddings")
    packable: ClassVar[bool] = True
    usual_loss: ClassVar[str]
    """The loss that `auto` means."""

    def scores(self, form: Form) -> Scores:
        """Return what is measured for targets of a form."""
        raise NotImplementedError

    def objective(self, form: Form, loss: Loss) -> Objective:
        """Return the loss that training goes by, and what is measured.

        Raises:
            ValueError: if the loss does not fit the kind of targets.
        """
        meant = loss.meant(self.usual_loss)
        if refusal := meant.refusal(form.kind):
            raise ValueError(f"{loss.name} {refusal}")
        return Objective(meant, self.scores(form), usual=meant.name == self.usual_loss)

    def step(self, state: State, batch: Batch) -> Mapping[str, Tensor]:
        """See `Task`; a pack of members computes the same for each."""
        assert state.objective is not None
        outputs = state.outputs(self.main, batch.inputs)
        loss = state.objective.loss.alone(outputs, batch.targets)
        state.update(self.main, loss)
        return {"loss": loss.detach()}

    def refusal(self, workload: Any) -> str | None:
        """Say that the loss, or the model, is another task's."""
        if getattr(workload.model, "reconstructs", False):
            name = workload.model.name
            return f"{name} restores inputs: write `task: reconstruction`, or take another model"
        if workload.data.kind not in workload.loss.targets:
            return f"`loss: {workload.loss.name}` does not suit the targets of {workload.data.name}"
        refusal = workload.loss.refusal(workload.data.kind)
        return None if refusal is None else f"`loss: {workload.loss.name}` {refusal}"


def kept_outcomes(task: Task, objective: Objective | None) -> tuple[str, ...]:
    """Return the metrics of which each example's number is kept.

    A loss that is not the task's usual one is not what `Task.outcomes` gives of it.
    """
    other = objective is not None and not objective.usual
    return tuple(name for name in task.per_example if not (other and name == "loss"))


def total(objective: Scores | Objective, outputs: Tensor, targets: Tensor) -> dict[str, float]:
    """Return the metrics of predictions that were made in one go, shapes (n, ...)."""
    from harness.lazy import torch

    totals = torch.stack([value.double() for value in objective.scores(outputs, targets)])
    found = objective.metrics(totals[:, None], len(targets))
    if (of_whole := getattr(objective, "of_whole", None)) is not None:
        found |= of_whole(outputs[None], targets[None])
    return {name: float(value) for name, value in found.items()}
