"""What a network is: settings, what it reads, what a step of it costs, and how it is built.

A network is one class in one module of this package, or of a package of yours that registers it.
Its fields are what a study can set. Everything else is derived from the class: what a study may
say, `harness list`, the reference pages, checks, estimates, packs, and which probes look into it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.components.base import Component, unsaid
from harness.data_spec import Form, Kind
from harness.lazy import torch
from harness.own.imports import own_function
from harness.registry import ADAPTERS, setting

if TYPE_CHECKING:
    from torch import Tensor, nn

Activation = Literal[
    "relu", "leaky_relu", "elu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid", "softmax",
    "identity",
]  # fmt: skip
Initialization = Literal["auto", "he", "xavier", "torch"]
Initial = Annotated[
    Initialization, Field(description="auto: He for rectifiers, Xavier for the others")
]
Scale = Annotated[
    float, Field(gt=0, description="factor of all initial weight matrices and kernels")
]
Width = Annotated[int, Field(ge=1, le=100_000)]
Rate = Annotated[float, Field(ge=0, lt=1)]
ImageNorm = Annotated[
    Literal["none", "batch", "layer", "group"], Field(description="after each convolution")
]
Groups = Annotated[
    int, Field(ge=1, description="of the group norm; must divide every channel count")
]

UNDECLARED = "the network does not declare itself packable"
ELSEWHERE = "networks made elsewhere may do anything in Python"
CONVOLUTIONS = "on a CPU a pack of convolutions is slower than each alone"

Part = Literal["convolutions", "filters", "attention"]
"""What probes look at inside a network; filters: a first layer that reads an image at once."""


@dataclass(frozen=True)
class Work:
    """What one example costs forwards, for a guess of a training's time.

    Attributes:
        layers: operations that wait for one another.
        products: multiplications, half of the floating-point operations.
    """

    layers: float = 20
    products: float = 1e6


class Network(Component):
    """A network. A subclass has a `name` of one value, which is also its module's name."""

    name: str

    targets: ClassVar[tuple[Kind, ...]] = ("class", "numbers")
    """The kinds of targets that it can answer; sequence: with outputs at each position."""
    reads: ClassVar[tuple[Literal["numbers", "tokens"], ...]] = ("numbers",)
    """What its inputs may be."""
    shows: ClassVar[tuple[Part, ...]] = ("convolutions", "filters")
    """What probes may find inside; what is only known of the built network counts as there."""
    initial: ClassVar[tuple[str, ...]] = ()
    """Settings that decide initial weights alone, in which the members of a pack may differ."""
    rates: ClassVar[tuple[str, ...]] = ()
    """Settings that are rates of `harness.layers.dropout.Dropout`: members of a pack may differ in
    them as long as they are not zero."""
    library: ClassVar[str | None] = None
    """The package that it is made by, if that may be missing."""

    def build(self, form: Form) -> nn.Module:
        """Return the network with its initial weights.

        PyTorch's CPU generator is that of the trial's seed meanwhile, and `form` is one of
        `targets` and `reads`.

        Args:
            form: of the inputs, which come as (batch, *shape), and of the outputs: (batch,
                outputs), or (batch, steps, outputs) for targets of the kind sequence.

        Raises:
            ValueError: if it cannot read inputs of this shape.
        """
        raise NotImplementedError

    def work(self, form: Form) -> Work:
        """Return what one example costs; unless a network says it, as a small one of unknown kind.

        Args:
            form: of the data.
        """
        del form
        return Work()

    def unpackable(self, network: nn.Module) -> str | None:
        """Say why several such networks are not trained as one program; None where they can be.

        A network that can has an attribute `packable = True`: its forward pass is a function of
        parameters, buffers and inputs alone, without randomness and without control flow that
        looks at values.

        Args:
            network: built from these settings, on the device where it would be trained.
        """
        return None if getattr(network, "packable", False) else UNDECLARED

    def outside(self) -> str | None:
        """Return what identifies weights from elsewhere, None if there are none.

        Raises:
            WeightsMissingError: if they are not to be had.
        """
        return None

    def misreads(self, form: Form) -> str | None:
        """Say why it cannot read such data; None where nothing speaks against it."""
        if form.vocabulary is not None and "tokens" not in self.reads:
            return (
                f"the data are token ids, which {self.name} would take for quantities; choose a "
                "model that embeds them, such as recurrent or transformer"
            )
        if form.vocabulary is None and "numbers" not in self.reads:
            return f"{self.name} reads token ids; these inputs are numbers, {form.shape}"
        if form.kind == "sequence" and "sequence" not in self.targets:
            return (
                f"the data ask for a class at each position, and {self.name} has one output for "
                "each input; choose recurrent or transformer"
            )
        return None

    def refusal(self, data: Any) -> str | None:
        """Say why it is not for a data set, as far as settings tell; None where it is."""
        del data
        return None

    @property
    def sees_later(self) -> bool:
        """Whether the output at a position depends on inputs after it."""
        return False

    @property
    def has_hidden_layer(self) -> bool:
        """Whether there is a layer between inputs and outputs."""
        return True


class ImageNetwork(Network):
    """A network of convolutions whose forward pass is that of a packable one (`unpackable`)."""

    def unpackable(self, network: nn.Module) -> str | None:
        """See `Network`."""
        return None if next(network.parameters()).is_cuda else CONVOLUTIONS


class Adapted(Component):
    """What is set of a network of transformers: an adapter, and what saves memory."""

    adapter: setting(ADAPTERS) | None = Field(  # type: ignore[valid-type]
        None,
        exclude_if=unsaid,
        description="trained in place of the network's own weights (`harness list adapters`); null:"
        " all weights are trained",
    )
    checkpointing: bool = Field(
        False,
        exclude_if=unsaid,
        description="compute what lies within each block once more on the way back, in place of"
        " holding it in memory",
    )

    @property
    def drawn(self) -> bool:
        """Whether its weights are random, unless a stage gives others."""
        raise NotImplementedError

    def adapt(self, network: nn.Module) -> None:
        """Attach the adapter to a network of transformers, and set what saves memory.

        Raises:
            ValueError: if the network has no layer that the adapter names.
        """
        if self.adapter is not None:
            self.adapter.attach(network)
        if self.checkpointing:
            enable: Any = getattr(network, "activation_checkpointing_enable", None)
            enable = enable or network.gradient_checkpointing_enable  # before transformers 5.20
            enable({"use_reentrant": False})


class CustomModel(Network):
    """Your own function, `package.module:function`, which returns a torch.nn.Module.

    It is called as function(input_shape, outputs, **settings), and is given `vocabulary`, the
    number of token ids, if it takes it.
    """

    name: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    settings: dict[str, Any] = Field(default_factory=dict, description="passed to the function")

    targets: ClassVar[tuple[Kind, ...]] = ("class", "sequence", "numbers")
    reads: ClassVar = ("numbers", "tokens")

    def build(self, form: Form) -> nn.Module:
        """Call the function.

        Raises:
            TypeError: if it returns something that is not a network.
        """
        from torch import nn

        function = own_function(self.name)
        extra = {"vocabulary": form.vocabulary} if _takes_vocabulary(function) else {}
        network = function(form.shape, form.outputs, **extra, **self.settings)
        if not isinstance(network, nn.Module):
            raise TypeError(
                f"{self.name} returned {type(network).__name__}, expected a torch.nn.Module"
            )
        return network


class NoModel(Network):
    """Nothing: a training of your own builds its network itself."""

    name: Literal["none"]


@dataclass(frozen=True)
class Fitted:
    """A simple model that was fitted, and what it says: outputs, or metrics of its own.

    Attributes:
        parameters: numbers that it holds.
        outputs: from inputs to what the task's loss and metrics are computed from.
        measure: from inputs and targets of a split to each of the task's metrics.
        outcomes: beside `measure`, if it can: from the same to what each example adds to metrics
            that are means over examples (`Task.outcomes`), of shape (examples,).
        network: instead of these, of a model that `reconstructs`: a
            `harness.layers.autoencoder.Autoencoder`, which its task and its probes look at.
    """

    parameters: int
    outputs: Callable[[Tensor], Tensor] | None = None
    measure: Callable[[Tensor, Tensor], Mapping[str, float]] | None = None
    outcomes: Callable[[Tensor, Tensor], Mapping[str, Tensor]] | None = None
    network: nn.Module | None = None


class SimpleModel(Network):
    """A model that is fitted at once, without epochs: beside the networks, or in an arm."""

    shows: ClassVar[tuple[Part, ...]] = ()
    usual: ClassVar[int] = 1
    """Of the models for a data set, the one with the highest number is its simple baseline."""
    reconstructs: ClassVar[bool] = False
    """Whether it restores inputs from a code (the task reconstruction) instead of learning targets.
    It is then fitted to inputs alone, with the size of the code as `form.outputs`."""

    def fit(self, inputs: Tensor, targets: Tensor, form: Form, season: int | None) -> Fitted:
        """Return the model, fitted to the training split.

        Args:
            inputs: normalized, (examples, *shape).
            targets: (examples,), (examples, steps) or (examples, outputs), by their kind.
            form: of the data.
            season: in steps, if the data are a series.

        Raises:
            ValueError: if it cannot read such data.
        """
        raise NotImplementedError

    def refusal(self, data: Any) -> str | None:
        """Say that it is for other targets."""
        if data.name == "none":
            return f"{self.name} needs data, and this `training` reads its own; say none"
        if data.kind in self.targets:
            return None
        return (
            f"{self.name} needs targets of kind {' or '.join(self.targets)}; those of {data.name} "
            f"are of kind {data.kind}"
        )

    def seconds(self, examples: int, form: Form) -> float:
        """Guess how long it is fitted, on one core."""
        return 1e-6 * examples * math.prod(form.shape)


def _takes_vocabulary(function: Callable[..., Any]) -> bool:
    try:
        return "vocabulary" in inspect.signature(function).parameters
    except ValueError:  # a built-in function without a signature
        return False


def class_shares(model: Any, rows: Any, form: Form) -> Tensor:
    """Return what a fitted classifier of scikit-learn gives each class of a form, (rows, classes).

    A class that no training example had is unknown to the classifier, and has a share of 0.
    """
    shares: Tensor = torch.zeros(rows.shape[0], form.outputs, dtype=torch.float64)
    shares[:, model.classes_.tolist()] = torch.from_numpy(model.predict_proba(rows)).double()
    return shares


def features(inputs: Tensor, form: Form) -> Any:
    """Return what a regression sees of inputs: their numbers, (examples, numbers).

    Of token ids it is a sparse matrix (examples, vocabulary) of ones where an example holds a
    token, in whatever order.
    """
    rows = inputs.flatten(1).numpy()
    if form.vocabulary is None:
        return rows
    import numpy as np
    from scipy.sparse import csr_matrix

    from harness.layers.sequences import PADDING

    real = rows != PADDING
    places = (np.nonzero(real)[0], rows[real])
    counts = csr_matrix((np.ones(len(places[0])), places), shape=(len(rows), form.vocabulary))
    counts.sum_duplicates()
    counts.data[:] = 1
    return counts


def steps_of(shape: tuple[int, ...]) -> int:
    """Return how many steps inputs of a shape have: images are read row by row."""
    return shape[1] if len(shape) == 3 else shape[0]


def readout(form: Form, width: int) -> float:
    """Return the products of a linear layer on the last state, or on each."""
    places = form.shape[0] if form.kind == "sequence" else 1
    return float(places * width * form.outputs)


def check_image_layers(norm: str, groups: int, channels: list[int], activation: str) -> None:
    """Refuse what cannot stand between convolutions.

    Raises:
        ValueError: if groups do not divide channels, or the activation has no meaning there.
    """
    if norm == "group" and any(count % groups for count in channels):
        raise ValueError(f"`groups` ({groups}) does not divide every channel count")
    if activation == "softmax":
        raise ValueError("softmax has no meaning between convolutions")


def check_stages(blocks: list[int], channels: list[int]) -> None:
    """Refuse stages of which one list has more than the other.

    Raises:
        ValueError: if they differ in length.
    """
    if len(blocks) != len(channels):
        raise ValueError(f"`blocks` has {len(blocks)} stages and `channels` {len(channels)}")


def image_shape(form: Form, network: str) -> tuple[int, int, int]:
    """Return the channels, height and width of images.

    Raises:
        ValueError: if the inputs are none; `network` is who reads them, such as "a cnn".
    """
    if len(form.shape) != 3:
        raise ValueError(
            f"{network} reads images (channels, height, width); these inputs are {form.shape}"
        )
    channels, height, width = form.shape
    return channels, height, width
