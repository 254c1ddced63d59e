"""The workload: the parts that one training is made of."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from harness.augmentations import AugmentationSetting, augmentations
from harness.augmentations.base import Mixing
from harness.components.base import FUNCTION, Component, unsaid
from harness.components.training import (
    EarlyStopping,
    LoggedRuns,
    Measured,
    Training,
    check_goals,
    short_or_long,
)
from harness.components.transfer import Transfer
from harness.data import Data, NoData, OwnFunction
from harness.errors import nearest
from harness.losses import LossSetting
from harness.metrics import BUILT_IN
from harness.models import Model
from harness.models.base import Adapted
from harness.plugins import plugins, registered
from harness.registry import DATA, LOSSES, OPTIMIZERS, SCHEDULES, TASKS, setting
from harness.tasks import Supervised, Task, usual_task


def _known_metric(metric: str) -> str:
    if not re.match(FUNCTION, metric):
        known = plugins("metrics")
        registered_ones = f" nor one of {', '.join(known)}" if known else ""
        raise ValueError(
            f"'{metric}' does not have the form package.module:function{registered_ones}"
            f"{nearest(metric, known)}"
        )
    return metric


OwnMetric = Annotated[
    str,
    BeforeValidator(registered("metrics", ())),
    AfterValidator(_known_metric),
    WithJsonSchema({"type": "string"}),
]


if TYPE_CHECKING:
    DataSetting = Data
else:
    DataSetting = setting(DATA, own=OwnFunction, none=NoData)


class MetricFunction(Measured):
    """A metric of your own, and what it is."""

    function: OwnMetric = Field(
        description="package.module:function of (outputs, targets) of a whole split"
    )


def _allow_training(schema: dict[str, Any]) -> None:
    """Data and model are required only where our own training needs them."""
    whole = {"required": schema.pop("required")}
    schema.update({"if": {"required": ["training"]}, "then": {}, "else": whole})
    schema["properties"]["augmentation"].pop("title", None)


_OURS = (
    "optimizer", "schedule", "task", "loss", "metrics", "batch_size", "accumulate", "precision",
    "clip", "l1", "clear_gradients", "early_stopping", "augmentation", "transfer",
)  # fmt: skip
"""What only our own training makes use of."""

_NOT_OF_RUNS = ("epochs", "keep")
"""What is of no use beside where runs are trained already."""


class Workload(Component):
    """Data, model, loss and metric, and how long to train: the resolved setting of one trial."""

    model_config = ConfigDict(json_schema_extra=_allow_training)

    data: DataSetting
    model: Model
    optimizer: setting(OPTIMIZERS) = Field(  # type: ignore[valid-type]
        default_factory=lambda: OPTIMIZERS.read("adam")
    )
    schedule: setting(SCHEDULES) = Field(  # type: ignore[valid-type]
        default_factory=lambda: SCHEDULES.read("constant"),
        description="how the learning rate changes from step to step",
    )
    task: setting(TASKS) | None = Field(  # type: ignore[valid-type]
        None,
        description="what is learned; left out: what the targets of the data ask for",
    )
    loss: LossSetting = Field(
        default_factory=lambda: LOSSES.read("auto"),
        description="auto: cross entropy for classes, the squared error for numbers; or your own "
        "function of (outputs, targets), which returns the mean loss of a batch",
    )
    metrics: dict[
        Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")],
        Annotated[
            Annotated[OwnMetric, Tag("named_metric")]
            | Annotated[MetricFunction, Tag("described_metric")],
            Discriminator(short_or_long),
        ],
    ] = Field(
        default_factory=dict,
        description="your own, name: package.module:function of (outputs, targets) of a whole "
        "split, which returns a number; or {function: package.module:function, goal: maximize, "
        "unit: ..., meaning: ...}",
    )
    training: Training | None = Field(
        None,
        description="in place of the training by the harness: your own function, or `name: mlflow` "
        "for runs that other code logged",
    )
    epochs: int = Field(10, ge=1, le=100_000)
    batch_size: int = Field(64, ge=1)
    accumulate: int = Field(
        1,
        ge=1,
        le=10_000,
        exclude_if=lambda parts: parts == 1,
        description="gradient accumulation: each batch is computed in so many parts, whose "
        "gradients are added up before the step; the same step in less memory",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        exclude_if=lambda precision: precision == "auto",
        description="of forward passes, the weights stay float32; auto: bfloat16 for large "
        "networks on GPUs that have it",
    )
    clip: float | None = Field(
        None, gt=0, description="largest norm of the gradient of all parameters together"
    )
    l1: float = Field(
        0.0,
        ge=0,
        exclude_if=unsaid,
        description="weight of an L1 penalty on all weights but biases: after each step they move "
        "towards zero by the learning rate times it, and stay there (proximal gradient)",
    )
    clear_gradients: bool = Field(
        True,
        exclude_if=bool,
        description="false is a mistake on purpose: the gradients of all steps add up, as where "
        "`optimizer.zero_grad()` is forgotten",
    )
    keep: Literal["best", "last"] = Field(
        "best", description="the epoch whose weights count: best by validation, or the last"
    )
    early_stopping: EarlyStopping | None = None
    augmentation: AugmentationSetting | None = Field(
        None, description="random changes of training examples: {shift: 2, flip: true}"
    )
    transfer: Transfer | None = Field(
        None, description="weights from a stage, frozen layers, rates by layer"
    )
    uses: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], str | None] = Field(
        default_factory=dict,
        exclude_if=unsaid,
        description="what this gets of stages, role: NAME, such as teacher: large; `initial: NAME` "
        "is another spelling of `transfer: {from: NAME}`. null: nothing in this role",
    )

    @model_validator(mode="before")
    @classmethod
    def _training_needs_neither(cls, value: Any) -> Any:
        """A training of one's own may read its data and build its network itself."""
        if isinstance(value, dict) and value.get("training") is not None:
            return {"data": "none", "model": "none", **value}
        return value

    @model_validator(mode="before")
    @classmethod
    def _one_spelling(cls, value: Any) -> Any:
        """Write what a network starts from as `transfer.from`, so that it is the same trial."""
        if not isinstance(value, dict) or "uses" not in value or value.get("training") is not None:
            return value
        uses, transfer = value["uses"], value.get("transfer")
        if uses is None:
            uses = {"initial": None}
        if not (isinstance(uses, dict) and "initial" in uses):
            return value
        if not isinstance(transfer, dict | None) or not isinstance(uses["initial"], str | None):
            return value
        initial = uses["initial"]
        rest = {role: name for role, name in uses.items() if role != "initial"}
        if initial is not None or set(transfer or ()) - {"from"}:
            return {**value, "uses": rest, "transfer": {**(transfer or {}), "from": initial}}
        return {**value, "uses": rest, **({"transfer": None} if "transfer" in value else {})}

    @field_validator("uses")
    @classmethod
    def _only_what_is_used(cls, uses: dict[str, str | None]) -> dict[str, str | None]:
        return {role: name for role, name in uses.items() if name is not None}

    @field_validator("augmentation")
    @classmethod
    def _off_is_none(cls, given: Any) -> Any:
        """One of which all is off, as `shift: 0`, is the same as none."""
        said = None if given is None else given.model_dump(mode="json")
        return given if any(one.changes for one in augmentations(said)) else None

    @field_validator("metrics")
    @classmethod
    def _new_names(cls, metrics: dict[str, Any]) -> dict[str, Any]:
        check_goals(metrics)
        for name in metrics:
            if name in BUILT_IN:
                raise ValueError(f"'{name}' is measured already; give yours another name")
        return metrics

    @model_validator(mode="after")
    def _training_does_it_all(self) -> Self:
        if self.training is None:
            for part in ("data", "model"):
                if getattr(self, part).name == "none":
                    raise ValueError(f"`{part}: none` is for a `training` of your own")
            return self
        logged = isinstance(self.training, LoggedRuns)
        if self.uses and logged:
            raise ValueError("`uses` is of no use with `training: mlflow`: nothing is trained")
        if self.uses and "uses" in getattr(self.training, "settings", {}):
            raise ValueError("`uses` cannot be a setting as well: it holds what stages give")
        advice = f"pass it in training.{'params, where the runs have it' if logged else 'settings'}"
        unused = [part for part in (*_OURS, *(_NOT_OF_RUNS if logged else ())) if self._sets(part)]
        unused += ["model"] if self.model.name != "none" else []
        unused += ["data"] if logged and self.data.name != "none" else []
        if unused:
            raise ValueError(f"`{unused[-1]}` is of no use with `training`: {advice}")
        return self

    @classmethod
    def resolved(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        """Check settings, and return all of them as plain values: one form for what is the same.

        A task or a loss that is named though it is the usual one is as good as left out.

        Raises:
            pydantic.ValidationError: if a setting is wrong.
        """
        workload = cls.model_validate_json(json.dumps(data), strict=True)
        found = workload.model_dump(mode="json")
        if workload.training is None:
            if found["task"] is not None:
                usual = usual_task(workload.data.kind).model_dump(mode="json")
                found["task"] = None if found["task"] == usual else found["task"]
            named = found["loss"] == getattr(workload.learns, "usual_loss", None)
            found["loss"] = "auto" if named else found["loss"]
        return found

    def _sets(self, part: str) -> bool:
        """Whether a part is another than what it is where nothing is said."""
        default = type(self).model_fields[part].get_default(call_default_factory=True)
        return bool(getattr(self, part) != default)

    @property
    def learns(self) -> Task:
        """The task: the one that is named, else the one of the data's targets."""
        found: Task = self.task or usual_task(self.data.kind)
        return found

    @model_validator(mode="after")
    def _task_suits(self) -> Self:
        task, kind = self.learns, self.data.kind
        if self.training is not None:
            return self
        if kind not in task.targets:
            raise ValueError(
                f"the task {task.name} needs targets of kind {' or '.join(task.targets)}; those of"
                f" {self.data.name} are of kind {kind}"
            )
        refusal = task.refusal(self)
        if refusal is not None:
            raise ValueError(refusal)
        return self

    @model_validator(mode="after")
    def _known_gradient_options(self) -> Self:
        if self.training is not None:
            return self
        for option, said in (
            ("l1", self.l1),
            ("clear_gradients", not self.clear_gradients),
            ("accumulate", self.accumulate > 1),
        ):
            if said and not isinstance(self.learns, Supervised):
                raise ValueError(
                    f"`{option}` is for tasks of one supervised network, not for {self.learns.name}"
                )
        if not self.clear_gradients and self.transfer and self.transfer.unfreeze_every:
            raise ValueError("`clear_gradients: false` does not go with layers that join later")
        return self

    @model_validator(mode="after")
    def _stops_by_what_is_measured(self) -> Self:
        name = self.early_stopping.metric if self.early_stopping else None
        if name is None or self.training is not None:
            return self
        last = name.rpartition(".")[2]
        known = [*self.learns.measures, *self.metrics]
        if last not in known:
            listed = ", ".join(f"validation.{one}" for one in known)
            raise ValueError(
                f"`early_stopping.metric`: no epoch has {name}"
                f"{nearest(name, [f'validation.{one}' for one in known])} (it has: {listed})"
            )
        own = self.metrics.get(last)
        goal = getattr(own, "goal", None) if own is not None else self.learns.measures[last].goal
        if goal is None:
            raise ValueError(
                f"`early_stopping.metric`: nothing says whether a low or a high {last} is better: "
                "write `goal: minimize` or `goal: maximize` beside its function in `metrics`"
            )
        return self

    @model_validator(mode="after")
    def _model_suits(self) -> Self:
        refusal = self.model.refusal(self.data)
        if refusal is not None:
            raise ValueError(refusal)
        return self

    @model_validator(mode="after")
    def _adapts_what_was_learned(self) -> Self:
        if not isinstance(self.model, Adapted) or self.model.adapter is None:
            return self
        if self.model.drawn and not (self.transfer and self.transfer.source):
            raise ValueError(
                "`model.adapter` keeps the network's own weights as they are, and these would be"
                " random: take a pretrained `source`, or start from a stage (`transfer.from`)"
            )
        if self.transfer and self.transfer.model_copy(update={"source": None}) != Transfer():
            raise ValueError(
                "`transfer` can say only `from` where there is a `model.adapter`: all but the"
                " adapter is frozen, and its layers have one learning rate"
            )
        return self

    @model_validator(mode="after")
    def _images_are_augmented(self) -> Self:
        said = None if self.augmentation is None else self.augmentation.model_dump(mode="json")
        changes = augmentations(said)
        if any(change.images for change in changes) and not self.data.images:
            raise ValueError(f"`augmentation` changes images; {self.data.name} has none")
        for change in changes:
            if isinstance(change, Mixing) and (refusal := self._not_mixed()):
                raise ValueError(f"`augmentation.{change.name}` {refusal}")
        return self

    def _not_mixed(self) -> str | None:
        """Say why examples cannot be mixed with their classes; None if they can."""
        task = self.learns
        if self.data.form.vocabulary is not None:
            return "mixes the inputs of two examples, and these are token ids"
        if self.data.kind != "class" or not isinstance(task, Supervised):
            return "mixes examples and their classes: it is for classification"
        if not self.loss.meant(task.usual_loss).soft:
            return f"mixes classes, and `loss: {self.loss.name}` takes no soft targets"
        return None
