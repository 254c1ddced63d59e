"""What an adapter is: its settings, and what it changes in a pretrained network.

An adapter is one class in one module of this package. The network's own weights stay as they are;
what the adapter adds, and the layers that are new for the task, are trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.components.base import Component
from harness.errors import nearest

if TYPE_CHECKING:
    from torch import nn

Targets = Annotated[
    Literal["auto", "all"] | list[Annotated[str, Field(min_length=1)]],
    Field(
        description="which linear layers: names such as [q_proj, v_proj]; auto: those that PEFT"
        " takes for this architecture; all: all but the output layer"
    ),
]


class Adapter(Component):
    """An adapter. A subclass has a `name` of one value, which is also its module's name."""

    name: str

    library: ClassVar[str | None] = None
    """The package that it is made by, if that may be missing."""

    def attach(self, network: nn.Module) -> None:
        """Change a network in place: afterwards only what the adapter adds needs a gradient.

        PyTorch's CPU generator is that of the trial's seed meanwhile.

        Args:
            network: of transformers, without the layer that is new for the task.

        Raises:
            ValueError: if the network has no layer of a name that the settings give.
        """
        raise NotImplementedError


def chosen(
    network: nn.Module, targets: Sequence[str] | str, usual: Mapping[str, Sequence[str]]
) -> list[str]:
    """Return the full names of the linear layers that an adapter is for.

    Args:
        network: of transformers.
        targets: of `Targets`; a name may be a whole one or its end (`self_attn.q_proj`).
        usual: what `auto` means, by the type of the architecture.

    Raises:
        ValueError: if there is no such layer, or `auto` means nothing for the architecture.
    """
    head = _output_layer(network)
    layers = [name for name, one in network.named_modules() if _is_linear(one) and name != head]
    if targets == "all":
        return layers
    if targets == "auto":
        kind = str(getattr(network.config, "model_type", ""))
        targets = list(usual.get(kind, ()))
        if not targets:
            raise ValueError(
                f"`adapter.targets: auto` knows no usual layers of '{kind}'; name some of:"
                f" {', '.join(_ends(layers))}"
            )
        targets = [one for one in targets if _matching(one, layers)]
    for target in targets:
        if not _matching(target, layers):
            known = _ends(layers)
            raise ValueError(
                f"`adapter.targets`: no linear layer of the network is called '{target}'"
                f"{nearest(target, known)} (there are: {', '.join(known)})"
            )
    wanted = {name for target in targets for name in _matching(target, layers)}
    return [name for name in layers if name in wanted]


def inject(config: Any, network: nn.Module) -> None:
    """Have PEFT change a network in place; all but the adapter is kept as it is."""
    from peft import inject_adapter_in_model

    inject_adapter_in_model(config, network)


def _is_linear(module: nn.Module) -> bool:
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, nn.Linear | Conv1D)


def _output_layer(network: nn.Module) -> str | None:
    """Return the name of the layer that answers, which an adapter of all layers leaves out."""
    get = getattr(network, "get_output_embeddings", None)
    head = get() if callable(get) else None
    return next((name for name, one in network.named_modules() if one is head), None)


def _matching(target: str, layers: Sequence[str]) -> list[str]:
    return [name for name in layers if name == target or name.endswith(f".{target}")]


def _ends(layers: Sequence[str]) -> list[str]:
    """Return what layers are called within their blocks, each once."""
    return list(dict.fromkeys(name.rpartition(".")[2] for name in layers))
