"""A variational autoencoder that knows the class: examples of a class that is asked for.

Sohn et al. 2015, Learning structured output representation using deep conditional generative
models; Kingma et al. 2014, Semi-supervised learning with deep generative models, section 2 (M2).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form, Kind
from harness.lazy import torch
from harness.metrics import Metric
from harness.models import Model, NoModel, SimpleModel
from harness.models.mlp import MLP
from harness.tasks._unsupervised import unused_part
from harness.tasks.adversarial import with_one_hot
from harness.tasks.base import Batch, Builder, State, Task
from harness.tasks.reconstruction import gaussian_bound, normal_draws

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from harness.workloads.settings import TrialSettings


class ConditionalVAE(Task):
    """Learn a code of what the class does not say, and to draw examples of each class.

    `model` encodes an input and its class as a normal distribution of codes; the decoder restores
    the input from a drawn code and the class. An example of a class is decoded from a code of the
    standard normal distribution and that class.
    """

    name: Literal["conditional_vae"]
    latent: int = Field(16, ge=1, le=100_000, description="numbers of the code")
    decoder: Model = Field(
        default_factory=lambda: MLP(name="mlp"), description="the network that restores inputs"
    )
    beta: float = Field(
        1.0, ge=0, description="weight of the codes' divergence from the standard normal one"
    )
    drawn: int = Field(
        1000, ge=1, le=1_000_000, description="samples that it gives as a stage, evenly by class"
    )

    conditional: ClassVar[bool] = True
    targets: ClassVar[tuple[Kind, ...]] = ("class",)
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "conditional_negative_elbo", "minimize", "nats",
            "bound on the negative log likelihood of an input given its class (beta counts as 1)",
            (-math.inf, math.inf),
        ),
        Metric(
            "reconstruction_error", "minimize", "",
            "mean squared error of inputs that are restored from their codes (and classes)",
        ),
        Metric("divergence", None, "nats", "of a code from the standard normal distribution"),
    )  # fmt: skip
    selects: ClassVar[str] = "conditional_negative_elbo"
    takes: ClassVar[Mapping[str, str]] = {"classifier": "predictions"}
    of_inputs: ClassVar[tuple[str, ...]] = (
        "conditional_negative_elbo", "reconstruction_error", "divergence",
    )  # fmt: skip
    gives: ClassVar[tuple[str, ...]] = ("samples",)

    def refusal(self, workload: Any) -> str | None:
        """Say what is of no use where examples are generated."""
        if (said := unused_part(workload, self.name)) is not None:
            return said
        for model in (workload.model, self.decoder):
            if isinstance(model, SimpleModel | NoModel):
                return f"{model.name} is no network that the task {self.name} could train"
        return None

    def build(
        self, settings: TrialSettings, form: Form, network: Builder
    ) -> Mapping[str, nn.Module]:
        """Return encoder and decoder as one network, which has one optimizer."""
        from harness.layers.autoencoder import Autoencoder

        if form.vocabulary is not None:
            raise ValueError(f"the task {self.name} generates numbers, and the data are token ids")
        first, *rest = form.shape
        read = Form((first + form.outputs, *rest), 2 * self.latent, "numbers")
        told = Form((self.latent + form.outputs,), math.prod(form.shape), "numbers")
        both: Any = Autoencoder(
            network(settings.model, read, "model"),
            network(self.decoder, told, "decoder"),
            self.latent,
        )
        both.classes = form.outputs
        return {"model": both}

    def step(self, state: State, batch: Batch) -> Mapping[str, Tensor]:
        """Take one step down the bound; the curve shows the divergence too."""
        error, divergence = self._parts(state, batch, drawn=True)
        loss = gaussian_bound(error, math.prod(state.form.shape)) + self.beta * divergence
        state.update("model", loss)
        return {"loss": loss.detach(), "divergence": divergence.detach()}

    def evaluate(self, state: State, split: Batch) -> Mapping[str, float]:
        """Return the bound with one drawn code each, and the error of the codes' means."""
        error, divergence = self._parts(state, split, drawn=True)
        bound = gaussian_bound(error, math.prod(state.form.shape)) + divergence
        return {
            "conditional_negative_elbo": float(bound),
            "reconstruction_error": float(self._parts(state, split, drawn=False)[0]),
            "divergence": float(divergence),
        }

    def sample(
        self, network: nn.Module, count: int, draws: Generator, shape: tuple[int, ...]
    ) -> Tensor:
        """Return examples, (count, *shape), normalized as the data are, evenly by class."""
        return self.sample_with_classes(network, count, draws, shape)[0]

    def sample_with_classes(
        self, network: Any, count: int, draws: Generator, shape: tuple[int, ...]
    ) -> tuple[Tensor, Tensor]:
        """Return examples as `sample` does, and the classes that were asked for, (count,)."""
        device = next(network.parameters()).device
        codes = torch.randn(count, self.latent, generator=draws).to(device)
        classes = torch.arange(count, device=device) % network.classes
        made: Tensor = network.decode(with_one_hot(codes, classes, network.classes))
        return made.reshape(count, *shape), classes

    def noise_shape(self, form: Form) -> tuple[int, ...]:
        """Return the shape of what an example is made of: a code, and behind it a number for each
        class, 1 for the class that is wanted and 0 else.
        """
        return (self.latent + form.outputs,)

    def made_of(self, network: Any, noise: Tensor, form: Form) -> Tensor:
        """Return the examples that a trained network makes of noise, (n, *shape), normalized."""
        made: Tensor = network.decode(noise)
        return made.reshape(len(noise), *form.shape)

    def _parts(self, state: State, batch: Batch, *, drawn: bool) -> tuple[Tensor, Tensor]:
        """Return the error of the restored inputs, and the divergence in nats, both ()."""
        network: Any = state.networks["model"]
        classes = state.form.outputs
        read = with_one_hot(batch.inputs, batch.targets, classes)
        codes, log_variance = network.distribution(read)
        each = 0.5 * (codes.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
        if drawn:
            codes = codes + (0.5 * log_variance).exp() * normal_draws(codes, state)
        restored = network.decode(with_one_hot(codes, batch.targets, classes))
        return (restored - batch.inputs.flatten(1)).square().mean(), each.mean()
