"""Probes that show what a trained network is like inside, as pictures or as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.components.base import Component

if TYPE_CHECKING:
    from harness.study.workload import Workload


class InsideProbe(Component):
    """A probe of the weights of the selected epoch, on the test split where it needs examples.

    Where `seeds` is a setting, the first so many confirmation seeds of an arm are shown.
    """

    on: dict[str, Any] = Field(default_factory=dict, description="only arms with these levels")

    targets: ClassVar[str | None] = None
    """The kind of targets that it is for."""

    def refusal(self, workload: Workload) -> str | None:
        """Say why it can show nothing of a workload; None where it can."""
        kind = workload.data.kind
        if self.targets is not None and kind != self.targets:
            wanted = {"class": "a class for each input"}.get(self.targets, self.targets)
            return f"needs {wanted}; the targets of {workload.data.name} are of kind {kind}"
        return None


Seeds = Annotated[int, Field(ge=1, le=8, description="show so many confirmation seeds of an arm")]


class ConfusionMatrix(InsideProbe):
    """Which class is taken for which on the test split, counted over all confirmation seeds."""

    name: Literal["confusion_matrix"]
    targets: ClassVar = "class"


class Embedding(InsideProbe):
    """The last hidden layer as a map (t-SNE), and how well it keeps classes apart.

    On the test split: `probe.neighbour_purity`, the share of the ten nearest neighbours that are of
    the same class, and `probe.silhouette` (Rousseeuw 1987), of all seeds and before the map is
    made; the map (van der Maaten and Hinton 2008, started from principal components) of the first.
    """

    name: Literal["embedding"]
    perplexity: float = Field(30.0, ge=2, le=200, description="neighbours that t-SNE thinks of")
    seeds: Seeds = 1
    targets: ClassVar = "class"

    def refusal(self, workload: Workload) -> str | None:
        """See `InsideProbe`."""
        if not workload.model.has_hidden_layer:
            return f"needs a hidden layer; this {workload.model.name} has none"
        return super().refusal(workload)


class GradCAM(InsideProbe):
    """Where a convolutional network looks when it decides (Selvaraju et al. 2017).

    For the predicted class of test images that were taken rightly (of different classes) and
    wrongly (those it was surest of).
    """

    name: Literal["grad_cam"]
    examples: int = Field(5, ge=1, le=10, description="right ones, and as many wrong ones")
    seeds: Seeds = 1
    targets: ClassVar = "class"

    def refusal(self, workload: Workload) -> str | None:
        """See `InsideProbe`."""
        if "convolutions" not in workload.model.shows:
            return f"needs convolutions; {workload.model.name} has none"
        return _needs_images(workload) or super().refusal(workload)


class FirstLayerFilters(InsideProbe):
    """The weights of the first layer as images: its kernels, or what each unit of an mlp sums."""

    name: Literal["first_layer_filters"]
    most: int = Field(24, ge=1, le=64, description="filters to show, those of largest norm")
    seeds: Seeds = 1

    def refusal(self, workload: Workload) -> str | None:
        """See `InsideProbe`."""
        model = workload.model
        if "filters" not in model.shows:
            return f"needs a first layer that reads an image at once; {model.name} has none"
        return _needs_images(workload)


class AttentionMaps(InsideProbe):
    """How much each step attends to each other one, head by head, on one test example."""

    name: Literal["attention_maps"]
    steps: int = Field(32, ge=2, le=64, description="of the example, from its start")
    seeds: Seeds = 1

    def refusal(self, workload: Workload) -> str | None:
        """See `InsideProbe`."""
        if "attention" not in workload.model.shows:
            return f"needs the built-in transformer; this is {workload.model.name}"
        return None


class GeneratedText(InsideProbe):
    """Text that a character model writes on from the start of the validation part."""

    name: Literal["generated_text"]
    temperatures: list[Annotated[float, Field(gt=0, le=5)]] = Field(
        [0.5, 1.0], min_length=1, max_length=5, description="below 1: bolder; above 1: more daring"
    )
    characters: int = Field(300, ge=1, le=2000)
    seeds: Seeds = 1

    def refusal(self, workload: Workload) -> str | None:
        """See `InsideProbe`."""
        if workload.data.name != "characters":
            return f"needs a text, character by character; the data are {workload.data.name}"
        if workload.model.sees_later:
            return f"needs a network that sees no later characters; this {workload.model.name} does"
        return None


def _needs_images(workload: Workload) -> str | None:
    if workload.data.images:
        return None
    return f"needs images; {workload.data.name} has none"


INSIDE: dict[str, type[InsideProbe]] = {
    "confusion_matrix": ConfusionMatrix,
    "embedding": Embedding,
    "grad_cam": GradCAM,
    "first_layer_filters": FirstLayerFilters,
    "attention_maps": AttentionMaps,
    "generated_text": GeneratedText,
}
