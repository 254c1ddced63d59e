"""A generator and a discriminator whose layers enlarge nothing: spectral normalization.

Miyato et al. 2018, Spectral normalization for generative adversarial networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from harness.data_spec import Form
from harness.lazy import torch
from harness.models import NoModel, SimpleModel
from harness.tasks.adversarial import Adversarial
from harness.tasks.base import Builder

if TYPE_CHECKING:
    from torch import nn

    from harness.workloads.settings import TrialSettings


class SpectralAdversarial(Adversarial):
    """As `adversarial`, where each matrix and kernel of the discriminator has the largest singular
    value 1.

    A layer's weights are divided by that value, which each step of training follows by one step of
    power iteration; a kernel counts as a matrix of its output channels. A discriminator with norms
    would undo it and is refused.
    """

    name: Literal["spectral_adversarial"]  # type: ignore[assignment]

    def refusal(self, workload: Any) -> str | None:
        """Say also which discriminators it is of no use for."""
        judge = self.discriminator
        if (
            not isinstance(judge, SimpleModel | NoModel)
            and getattr(judge, "norm", "none") != "none"
        ):
            return "the discriminator's norms undo spectral normalization: write `norm: none`"
        return super().refusal(workload)

    def build(
        self, settings: TrialSettings, form: Form, network: Builder
    ) -> Mapping[str, nn.Module]:
        """Return both networks, the discriminator with normalized weights."""
        from torch import nn
        from torch.nn.utils.parametrizations import spectral_norm

        networks = super().build(settings, form, network)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # of where the power iterations begin
            for module in networks["discriminator"].modules():
                if isinstance(module, nn.Linear | nn.Conv2d):
                    spectral_norm(module)
        return networks
