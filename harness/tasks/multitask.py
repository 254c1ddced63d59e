"""One class for each input, and a second target that shares the network: multi-task learning.

Caruana, Machine Learning 28, 1997.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.augmentations import augmentations
from harness.augmentations.base import Mixing
from harness.data_spec import Form, Kind
from harness.lazy import functional, torch
from harness.models.mlp import MLP
from harness.tasks.base import Batch, Builder, State
from harness.tasks.classification import Classification

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from harness.optimizers.base import Optimizer
    from harness.workloads.settings import TrialSettings


class Multitask(Classification):
    """Learn the class of each input, and beside it a second target from the same last hidden layer.

    A further linear layer, the head of the second task, reads what the network's last layer reads.
    Validation and test measure the class alone, and so does the curve's `loss`; the second loss is
    the curve's `auxiliary_loss`.
    """

    name: Literal["multitask"]  # type: ignore[assignment]
    auxiliary: Literal["inputs"] | list[Annotated[int, Field(ge=0)]] = Field(
        "inputs",
        description="the second target; inputs: the input's numbers, by squared error; a list: the "
        "group of each class, by cross entropy, such as [0, 1, 0, 1]",
    )
    weight: float = Field(0.5, ge=0, le=100, description="of the second loss beside the first")

    takes: ClassVar[Mapping[str, str]] = {}
    gives: ClassVar[tuple[str, ...]] = ()
    packable: ClassVar[bool] = False
    targets: ClassVar[tuple[Kind, ...]] = Classification.targets

    def refusal(self, workload: Any) -> str | None:
        """See `Task`; weights from elsewhere have no head, and mixed examples no one group."""
        if workload.transfer is not None:
            return "`transfer` is of no use with the task multitask"
        given = workload.augmentation
        said = None if given is None else given.model_dump(mode="json")
        mixed = [one.name for one in augmentations(said) if isinstance(one, Mixing)]
        if mixed:
            return f"`{mixed[0]}` mixes classes, and the task multitask needs one for each input"
        return super().refusal(workload)

    def build(
        self, settings: TrialSettings, form: Form, network: Builder
    ) -> Mapping[str, nn.Module]:
        """Return the network and the head.

        Raises:
            ValueError: if the network has no hidden layer, `auxiliary` does not name a group for
                each class, or the inputs that it should tell are token ids.
        """
        groups = self.auxiliary
        if groups == "inputs" and form.vocabulary is not None:
            raise ValueError("`auxiliary: inputs` needs numbers, and the data are token ids")
        if groups != "inputs" and len(groups) != form.outputs:
            raise ValueError(
                f"`auxiliary` gives groups of {len(groups)} classes, and the data have "
                f"{form.outputs}"
            )
        main = network(settings.model, form, self.main)
        last = _last(main)
        outputs = math.prod(form.shape) if groups == "inputs" else max(groups) + 1
        kind: Kind = "numbers" if groups == "inputs" else "class"
        head = network(MLP(name="mlp", depth=0), Form((last.in_features,), outputs, kind), "head")
        return {self.main: main, "head": head}

    def optimizers(self, settings: TrialSettings) -> Mapping[str, Optimizer]:
        """Return the same for both."""
        return {self.main: settings.optimizer, "head": settings.optimizer}

    def step(self, state: State, batch: Batch) -> Mapping[str, Tensor]:
        """Take one step of the network down both losses, and one of the head down its own."""
        assert state.objective is not None
        seen: list[Tensor] = []
        last = _last(state.networks[self.main])
        handle = last.register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
        outputs = state.outputs(self.main, batch.inputs)
        handle.remove()
        first = state.objective.loss.alone(outputs, batch.targets)
        second = self._second(state.outputs("head", seen[0]), batch)
        own = self._second(state.outputs("head", seen[0].detach()), batch)
        state.update(self.main, first + self.weight * second)
        state.update("head", own)
        return {"loss": first.detach(), "auxiliary_loss": second.detach()}

    def _second(self, told: Tensor, batch: Batch) -> Tensor:
        """Return the loss of the second task, of what the head says (batch, ...)."""
        if self.auxiliary == "inputs":
            return functional.mse_loss(told, batch.inputs.flatten(1))
        groups: Sequence[int] = self.auxiliary
        soft = batch.targets.ndim == 2  # classes with weights
        classes = batch.targets.argmax(dim=1) if soft else batch.targets
        wanted = torch.tensor(groups, device=told.device)[classes]
        return functional.cross_entropy(told, wanted)


def _last(network: nn.Module) -> nn.Linear:
    """Return the layer that gives the outputs.

    Raises:
        ValueError: if it is not linear, or reads the inputs themselves.
    """
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)]
    if len(layers) < 2 or not isinstance(layers[-1], torch.nn.Linear):
        raise ValueError("the task multitask needs a hidden layer and a linear last one to share")
    return layers[-1]
