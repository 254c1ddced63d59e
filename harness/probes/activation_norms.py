"""How large activations are, layer by layer, before training and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.lazy import numpy, torch
from harness.metrics import Metric
from harness.probes._networks import exact_twin, in_double
from harness.probes.base import POSITIVE, Fitted, Measured, Probe

if TYPE_CHECKING:
    from torch import Tensor, nn

LOOKED_AT = 512
"""Training examples that are sent through the network."""
_RATIO = "size of activations, last hidden layer ÷ first"


class ActivationNorms(Probe):
    """Root mean square of each hidden layer's outputs, before the first step and after training.

    Gives `probe.activation_ratio_start` and `_end`: last hidden layer over first, near 1 where
    activations neither vanish nor explode (Glorot and Bengio, AISTATS 2010; He et al., ICCV 2015);
    and `probe.last_activation_start` and `_end`: the last layer's size itself. Absent where the
    network has no hidden layer that probes know; a ratio is absent where the first layer is silent.
    """

    name: Literal["activation_norms"]

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("activation_ratio_start", None, "", f"{_RATIO}, before training", POSITIVE),
        Metric("activation_ratio_end", None, "", f"{_RATIO}, after training", POSITIVE),
        Metric("last_activation_start", bounds=POSITIVE),
        Metric("last_activation_end", bounds=POSITIVE),
    )
    parts: ClassVar[tuple[str, ...]] = ("start", "end")
    needs_initial: ClassVar[bool] = True

    def measure(self, fitted: Fitted) -> Measured:
        """Give sizes by layer before the first step and with the final weights, and their ratio."""
        metrics, artifact = {}, {}
        inputs = fitted.splits.train.inputs[:LOOKED_AT]
        for moment, network in (("start", fitted.initial), ("end", fitted.network)):
            assert network is not None
            sizes = activation_sizes(network, inputs)
            if not sizes:
                continue
            artifact[moment] = numpy.array(sizes)
            metrics[f"last_activation_{moment}"] = sizes[-1]
            if sizes[0] > 0:
                metrics[f"activation_ratio_{moment}"] = sizes[-1] / sizes[0]
        return Measured(metrics, artifact)


def activation_sizes(network: nn.Module, inputs: Tensor) -> list[float]:
    """Return the root mean square of each hidden layer's outputs, first layer first.

    They are those of an `exact_twin`.

    Args:
        network: is left as it was.
        inputs: of shape (n, ...).
    """
    from harness.layers import hidden_units

    twin = exact_twin(network)
    layers = hidden_units(twin)
    sizes = [0.0] * len(layers)

    for place, layer in enumerate(layers):

        def keep(_module: nn.Module, _inputs: Any, output: Tensor, place: int = place) -> None:
            sizes[place] = float(output.square().mean().sqrt())

        layer.register_forward_hook(keep)
    with torch.no_grad():
        twin(in_double(inputs))
    return sizes
