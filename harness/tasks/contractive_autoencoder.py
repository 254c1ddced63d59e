"""An autoencoder whose code changes little where its input does.

Rifai et al. 2011, Contractive auto-encoders: explicit invariance during feature extraction.
"""

from __future__ import annotations

import math
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
    from torch import Tensor, nn

    from harness.layers.tied import TiedAutoencoder
    from harness.workloads.settings import TrialSettings


class ContractiveAutoencoder(Task):
    """Learn a code from which inputs are restored, and which changes little where they do.

    The loss is the squared error of the restored inputs, and `contraction` times the mean squared
    Frobenius norm of the encoder's Jacobian. `model` is the encoder, an `mlp`; its activation is
    applied to the code as well. The decoder has the encoder's matrices, transposed (tied weights):
    with weights of its own, the code could shrink and the decoder make up for it, and nothing would
    be contracted. A `contraction` of 0 is the arm to compare with.
    """

    name: Literal["contractive_autoencoder"]
    code: int = Field(16, ge=1, le=10_000, description="numbers that an input becomes")
    contraction: float = Field(0.1, ge=0, description="weight of the Jacobian's squared norm")

    restores: ClassVar[bool] = True
    """That its network gives inputs, normalized as the data are."""
    targets: ClassVar[tuple[Kind, ...]] = ("class", "numbers")
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "reconstruction_error", "minimize", "",
            "mean squared error of inputs that are restored from their codes",
        ),
        Metric(
            "jacobian_norm", "minimize", "",
            "mean squared Frobenius norm of the Jacobian of the code",
        ),
    )  # fmt: skip
    selects: ClassVar[str] = "reconstruction_error"
    takes: ClassVar[Mapping[str, str]] = {"classifier": "predictions"}
    of_inputs: ClassVar[tuple[str, ...]] = ("reconstruction_error", "jacobian_norm")
    gives: ClassVar[tuple[str, ...]] = ("weights", "embeddings")
    model_at: ClassVar[str] = "encoder."

    def refusal(self, workload: Any) -> str | None:
        """Say what is of no use, or cannot be turned round."""
        if (said := unused_part(workload, self.name)) is not None:
            return said
        model = workload.model
        if not isinstance(model, MLP):
            return f"{self.name} turns the encoder round, which needs `model: mlp`"
        if model.norm != "none" or model.residual:
            return f"{self.name} needs an mlp with `norm: none` and without `residual`"
        return None

    def build(
        self, settings: TrialSettings, form: Form, network: Builder
    ) -> Mapping[str, nn.Module]:
        """Return encoder and decoder as one network."""
        from harness.layers.tied import TiedAutoencoder

        if form.vocabulary is not None:
            raise ValueError(f"the task {self.name} restores numbers; the data are token ids")
        encoder = network(settings.model, Form(form.shape, self.code, "numbers"), "model")
        activation: str = settings.model.activation  # type: ignore[attr-defined]
        return {"model": TiedAutoencoder(encoder, math.prod(form.shape), activation)}

    def step(self, state: State, batch: Batch) -> Mapping[str, Tensor]:
        """Take one step; the curve shows both parts of the loss."""
        network = _network(state)
        inputs = batch.inputs.detach().requires_grad_(self.contraction > 0)
        codes = network.encode(inputs)
        error = (network.decode(codes) - batch.inputs.flatten(1)).square().mean()
        loss = error
        if self.contraction:
            norm = jacobian_norms(codes, inputs).mean()
            loss = error + self.contraction * norm
        state.update("model", loss)
        return {"loss": loss.detach(), "error": error.detach()}

    def evaluate(self, state: State, split: Batch) -> Mapping[str, float]:
        """Return both on a split."""
        network = _network(state)
        error = (network(split.inputs) - split.inputs.flatten(1)).square().mean()
        norms = []
        for part in split.inputs.split(_BATCH):
            with torch.enable_grad():
                inputs = part.detach().requires_grad_()
                norms.append(jacobian_norms(network.encode(inputs), inputs).detach())
        return {
            "reconstruction_error": float(error),
            "jacobian_norm": float(torch.cat(norms).mean()),
        }


_BATCH = 512


def _network(state: State) -> TiedAutoencoder:
    network: Any = state.networks["model"]
    found: TiedAutoencoder = network
    return found


def jacobian_norms(codes: Tensor, inputs: Tensor) -> Tensor:
    """Return the squared Frobenius norm of each code's Jacobian, (n,), with its own gradient.

    Args:
        codes: (n, code), each of its own input alone.
        inputs: of which they were computed, (n, ...), asking a gradient.
    """
    count, numbers = codes.shape
    each = torch.eye(numbers, dtype=codes.dtype, device=codes.device)
    (slopes,) = torch.autograd.grad(
        codes, inputs, each[:, None, :].expand(-1, count, -1),
        create_graph=True, is_grads_batched=True,
    )  # fmt: skip
    norms: Tensor = slopes.square().transpose(0, 1).flatten(1).sum(dim=1)
    return norms
