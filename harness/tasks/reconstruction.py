"""Inputs become a code of few numbers, from which they are restored: autoencoders.

Hinton and Salakhutdinov 2006, Reducing the dimensionality of data with neural networks; Vincent et
al. 2008, Extracting and composing robust features with denoising autoencoders; Kingma and Welling
2014, Auto-encoding variational Bayes; Higgins et al. 2017, beta-VAE; Rybkin et al. 2021, Simple and
effective VAE training with calibrated decoders.
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
from harness.tasks.base import Batch, Builder, State, Task

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from harness.layers.autoencoder import Autoencoder
    from harness.workloads.settings import TrialSettings

SMALLEST = 1e-6
"""Mean squared error below which a decoder's deviation is not estimated."""


class Reconstruction(Task):
    """Learn a code of few numbers for each input, and to restore the input from it.

    `model` is the encoder; both networks take one step down one loss. It is the squared error of
    the restored inputs; with `noise` the encoder sees noisy inputs, and clean ones are wanted; with
    `beta` it is a variational autoencoder, whose codes are drawn from a normal distribution that is
    kept near the standard one. The labels are not learned from: probes use them.
    """

    name: Literal["reconstruction"]
    code: int = Field(16, ge=1, le=100_000, description="numbers that an input becomes")
    decoder: Model = Field(
        default_factory=lambda: MLP(name="mlp"), description="the network that restores inputs"
    )
    noise: float = Field(
        0.0, ge=0, le=100, description="deviation of normal noise on the inputs of a training step"
    )
    sparsity: float = Field(
        0.0, ge=0, description="weight of the mean absolute value of the code in the loss"
    )
    beta: float | None = Field(
        None,
        ge=0,
        description="weight of the divergence of the codes from the standard normal distribution; "
        "1 is the variational autoencoder, null no variational one",
    )

    targets: ClassVar[tuple[Kind, ...]] = ("class", "numbers")
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "reconstruction_error", "minimize", "",
            "mean squared error of inputs, without noise, that are restored from their codes",
        ),
        Metric(
            "negative_elbo", "minimize", "nats",
            "bound on the negative log likelihood of an input (beta counts as 1)",
            (-math.inf, math.inf),
        ),
        Metric("divergence", None, "nats", "of a code from the standard normal distribution"),
    )  # fmt: skip
    takes: ClassVar[Mapping[str, str]] = {"classifier": "predictions"}
    of_inputs: ClassVar[tuple[str, ...]] = ("reconstruction_error", "negative_elbo", "divergence")
    gives: ClassVar[tuple[str, ...]] = ("weights", "embeddings", "samples")
    model_at: ClassVar[str] = "encoder."

    @property
    def measures(self) -> Mapping[str, Metric]:
        """See `Task`; the bound is that of a variational autoencoder alone."""
        known = super().measures
        return known if self.beta is not None else {"reconstruction_error": self.metrics[0]}

    @property
    def selects(self) -> str:  # type: ignore[override]
        """See `Task`."""
        return "reconstruction_error" if self.beta is None else "negative_elbo"

    def refusal(self, workload: Any) -> str | None:
        """Say what is of no use where inputs are restored."""
        if (said := unused_part(workload, self.name)) is not None:
            return said
        if isinstance(self.decoder, SimpleModel | NoModel):
            return f"{self.decoder.name} is no network that could restore inputs"
        if isinstance(workload.model, SimpleModel):
            if not workload.model.reconstructs:
                return f"{workload.model.name} learns from targets and restores no inputs"
            for part in ("noise", "sparsity", "beta"):
                if getattr(self, part):
                    return f"`task.{part}` is of no use with {workload.model.name}"
        if self.beta is not None and self.sparsity:
            return "`task.sparsity` is for codes that are not drawn: leave it out, or `task.beta`"
        return None

    def build(
        self, settings: TrialSettings, form: Form, network: Builder
    ) -> Mapping[str, nn.Module]:
        """Return encoder and decoder as one network, which has one optimizer."""
        from harness.layers.autoencoder import Autoencoder

        if form.vocabulary is not None:
            raise ValueError("the task reconstruction restores numbers; the data are token ids")
        read = Form(form.shape, self.code if self.beta is None else 2 * self.code, "numbers")
        restored = Form((self.code,), math.prod(form.shape), "numbers")
        encoder = network(settings.model, read, "model")
        return {
            "model": Autoencoder(encoder, network(self.decoder, restored, "decoder"), self.code)
        }

    def step(self, state: State, batch: Batch) -> Mapping[str, Tensor]:
        """Take one step of both networks; the curve shows the parts of the loss too."""
        network = _autoencoder(state)
        inputs = batch.inputs
        if self.noise:
            inputs = inputs + self.noise * normal_draws(inputs, state)
        if self.beta is not None:
            error, divergence = _drawn(network, inputs, batch.inputs, state)
            loss = gaussian_bound(error, math.prod(state.form.shape)) + self.beta * divergence
            state.update("model", loss)
            return {"loss": loss.detach(), "divergence": divergence.detach()}
        codes = network.encode(inputs)
        error = _error(network.decode(codes), batch.inputs)
        loss = error + self.sparsity * codes.abs().mean() if self.sparsity else error
        state.update("model", loss)
        return {"loss": loss.detach(), "error": error.detach()}

    def evaluate(self, state: State, split: Batch) -> Mapping[str, float]:
        """Return the error on a split; of a variational autoencoder the bound and its part too."""
        network = _autoencoder(state)
        found = {"reconstruction_error": float(_error(network(split.inputs), split.inputs))}
        if self.beta is None:
            return found
        error, divergence = _drawn(network, split.inputs, split.inputs, state)
        bound = gaussian_bound(error, math.prod(state.form.shape)) + divergence
        return {**found, "negative_elbo": float(bound), "divergence": float(divergence)}

    def sample(
        self, network: Autoencoder, count: int, draws: Generator, shape: tuple[int, ...]
    ) -> Tensor:
        """Return inputs that are decoded from codes of the standard normal distribution.

        Only a variational autoencoder keeps its codes there; others restore little from such codes.

        Returns:
            Examples (count, *shape), normalized as the data are.
        """
        device = next(network.parameters()).device
        codes = torch.randn(count, self.code, generator=draws).to(device)
        return network.decode(codes).reshape(count, *shape)


def _autoencoder(state: State) -> Autoencoder:
    network: Any = state.networks["model"]
    found: Autoencoder = network
    return found


def normal_draws(like: Tensor, state: State) -> Tensor:
    """Return standard normal numbers of the trial's own, of the shape of a tensor."""
    return torch.randn(like.shape, generator=state.generator).to(like.device)


def _error(restored: Tensor, inputs: Tensor) -> Tensor:
    """Return the mean squared error over examples and numbers, ()."""
    error: Tensor = (restored - inputs.flatten(1)).square().mean()
    return error


def _drawn(
    network: Autoencoder, inputs: Tensor, wanted: Tensor, state: State
) -> tuple[Tensor, Tensor]:
    """Restore inputs from one drawn code each; return the error, and the divergence in nats."""
    mean, log_variance = network.distribution(inputs)
    codes = mean + (0.5 * log_variance).exp() * normal_draws(mean, state)
    each = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
    return _error(network.decode(codes), wanted), each.mean()


def gaussian_bound(error: Tensor, numbers: int) -> Tensor:
    """Return the negative log likelihood of an input under a normal decoder, in nats.

    Its deviation is the one under which these inputs are most likely: the root of their mean
    squared error (Rybkin et al. 2021, section 3), so that no weight of the error has to be chosen.

    Args:
        error: mean squared error of the restored inputs.
        numbers: of an input.
    """
    likelihood: Tensor = 0.5 * numbers * ((2 * math.pi * error.clamp(min=SMALLEST)).log() + 1)
    return likelihood
