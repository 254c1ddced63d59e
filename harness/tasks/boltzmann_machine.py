"""A restricted Boltzmann machine that is trained by contrastive divergence, and stacks of them.

Hinton 2002, Training products of experts by minimizing contrastive divergence; Hinton, Osindero and
Teh 2006, A fast learning algorithm for deep belief nets, for stacks that grow layer by layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form, Kind
from harness.lazy import torch
from harness.metrics import Metric
from harness.models.mlp import MLP
from harness.tasks._unsupervised import unused_part
from harness.tasks.base import Batch, Builder, State, Task

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from harness.layers.boltzmann import BoltzmannStack
    from harness.workloads.settings import TrialSettings


class BoltzmannMachine(Task):
    """Learn the distribution of the inputs by hidden units that are 0 or 1.

    `model` is an `mlp` of sigmoids. With one hidden layer it is one machine. With more it is a
    stack: all layers but the last come from a stage of this task whose `mlp` lacks the last one
    (`uses: {below: NAME}`), and stay as they are; the last learns what these say of the inputs. A
    classifier of the same `mlp` can start from the stack (`transfer: {from: NAME}`).

    A step follows the difference between the free energy of a batch and that of the same examples
    after `gibbs_steps` of sampling. Nobody knows the likelihood; what is measured is the error of
    inputs that go up to the last hidden layer and come back. It need not be least where the
    likelihood is highest, so write `keep: last`.
    """

    name: Literal["boltzmann_machine"]
    gibbs_steps: int = Field(1, ge=1, le=1000, description="k of contrastive divergence (CD-k)")
    inputs: Literal["normal", "binary"] = Field(
        "normal",
        description="normal: numbers with noise of deviation 1; binary: shares from 0 to 1, which "
        "need `data.normalize: false`",
    )

    sampling_steps: int = Field(
        200, ge=1, le=100_000, description="of Gibbs sampling from noise, for a generated example"
    )

    targets: ClassVar[tuple[Kind, ...]] = ("class", "numbers")
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "reconstruction_error", "minimize", "",
            "mean squared error of inputs that come back from the last hidden layer",
        ),
    )  # fmt: skip
    selects: ClassVar[str] = "reconstruction_error"
    takes: ClassVar[Mapping[str, str]] = {"below": "weights", "classifier": "predictions"}
    of_inputs: ClassVar[tuple[str, ...]] = ("reconstruction_error",)
    gives: ClassVar[tuple[str, ...]] = ("weights", "embeddings", "samples")
    model_at: ClassVar[str] = "network."

    @property
    def code(self) -> str:
        """What probes of codes look at."""
        return "probabilities of the uppermost hidden units"

    def refusal(self, workload: Any) -> str | None:
        """Say what has no place in a Boltzmann machine."""
        if (said := unused_part(workload, self.name)) is not None:
            return said
        model = workload.model
        plain = isinstance(model, MLP) and model.activation == "sigmoid" and model.norm == "none"
        if not plain or model.residual or model.dropout not in (0, [0.0] * len(model.hidden)):
            return (
                f"{self.name} needs `model: {{name: mlp, activation: sigmoid}}` without norm, "
                "dropout or residual layers"
            )
        if not model.hidden:
            return f"{self.name} needs a hidden layer: write `depth: 1`"
        below = "below" in workload.uses
        if len(model.hidden) > 1 and not below:
            return (
                "a stack is trained layer by layer: all hidden layers but the last come from a "
                "stage, `uses: {below: NAME}`"
            )
        if len(model.hidden) == 1 and below:
            return "`uses.below` is for the second hidden layer on; the model has one"
        return None

    def build(
        self, settings: TrialSettings, form: Form, network: Builder
    ) -> Mapping[str, nn.Module]:
        """Return the stack; the output layer of its `mlp` has no part in it."""
        from harness.layers.boltzmann import BoltzmannStack

        if form.vocabulary is not None:
            raise ValueError(f"the task {self.name} learns from numbers; the data are token ids")
        own = network(settings.model, form, "model")
        return {"model": BoltzmannStack(own, normal=self.inputs == "normal")}

    def step(self, state: State, batch: Batch) -> Mapping[str, Tensor]:
        """Take one step of contrastive divergence in the last hidden layer.

        Raises:
            ValueError: if the stage below does not fit, or the inputs are no shares.
        """
        self._check(batch)
        stack = _stack(state)
        self._put_below(state, stack)
        place = len(stack.visible) - 1
        machine = stack.machine(place)
        with torch.no_grad():
            seen = stack.up_to(batch.inputs, place)
            drawn = machine.sampled(seen, self.gibbs_steps, state.generator)
        loss = (machine.free_energy(seen) - machine.free_energy(drawn)).mean()
        state.update("model", loss)
        self._put_below(state, stack)  # weight decay reaches them as well
        return {"loss": loss.detach()}

    def evaluate(self, state: State, split: Batch) -> Mapping[str, float]:
        """Return the error of inputs that come back."""
        restored = _stack(state)(split.inputs)
        error = (restored - split.inputs.flatten(1)).square().mean()
        return {"reconstruction_error": float(error)}

    def sample(
        self, network: BoltzmannStack, count: int, draws: Generator, shape: tuple[int, ...]
    ) -> Tensor:
        """Return the means of generated examples, (count, *shape), normalized as the data are.

        Chains begin at noise in what the uppermost machine reads; its last state goes down.

        Args:
            network: trained.
            count: how many.
            draws: on the CPU.
            shape: of an example.
        """
        place = len(network.visible) - 1
        machine, device = network.machine(place), network.visible[0].device
        sizes = count, len(network.visible[place])
        noise = torch.randn(sizes, generator=draws)
        noise = noise if machine.normal else (noise > 0).float()
        drawn = machine.sampled(noise.to(device), self.sampling_steps, draws)
        return network.decode(machine.up(drawn)).reshape(count, *shape)

    def _check(self, batch: Batch) -> None:
        if self.inputs == "binary" and (batch.inputs.amin() < 0 or batch.inputs.amax() > 1):
            raise ValueError(
                "`task.inputs: binary` needs inputs from 0 to 1: write `data.normalize: false`, or "
                "leave it out"
            )

    def _put_below(self, state: State, stack: BoltzmannStack) -> None:
        """Copy the lower layers from their stage."""
        if "below" not in state.given:
            return
        below: Any = state.given["below"].network
        count = len(stack.visible) - 1
        if len(getattr(below, "visible", ())) != count:
            raise ValueError(
                f"`uses.below` needs a stage of the task {self.name} with one hidden layer less"
            )
        with torch.no_grad():
            for place in range(count):
                ours, theirs = stack.machine(place), below.machine(place)
                if ours.weight.shape != theirs.weight.shape or ours.normal != theirs.normal:
                    raise ValueError(
                        "the stage `uses.below` has other layers than the model begins with"
                    )
                ours.weight.copy_(theirs.weight)
                ours.hidden.copy_(theirs.hidden)
                ours.visible.copy_(theirs.visible)


def _stack(state: State) -> BoltzmannStack:
    network: Any = state.networks["model"]
    found: BoltzmannStack = network
    return found
