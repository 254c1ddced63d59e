"""Where a convolutional network looks when it decides (Selvaraju et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.formatting import number, plural
from harness.lazy import functional, numpy, torch
from harness.probes._networks import as_array, at_rest, outputs_of, test_split
from harness.probes._pictures import MOST_PANELS, base, left_out, style, whose
from harness.probes.base import Fitted, Measured, Showing, Shown, no_images, other_targets

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from harness.evidence import Evidence
    from harness.figures.base import Picture

LARGEST_SIDE = 32
_CELL, _GAP = 0.74, 0.1
_LINE = 16
"""Characters above an image."""


class GradCAM(Showing):
    """Where a convolutional network looks when it decides (Selvaraju et al. 2017).

    For the predicted class of test images that were taken rightly (of different classes) and
    wrongly (those it was surest of).
    """

    name: Literal["grad_cam"]
    examples: int = Field(5, ge=1, le=10, description="right ones, and as many wrong ones")

    parts: ClassVar[tuple[str, ...]] = ("images", "maps", "classes", "predicted", "surety")

    def refusal(self, workload: Any) -> str | None:
        """It needs convolutions, images and classes; of a network of one's own it is not known."""
        if "convolutions" not in workload.model.shows:
            return f"needs convolutions; {workload.model.name} has none"
        return no_images(workload) or other_targets(workload, "class")

    def measure(self, fitted: Fitted) -> Measured:
        """Give test images that were taken rightly and wrongly, with the map of each.

        Nothing is given of a network without a convolution.
        """
        network = at_rest(fitted.network)
        layer = last_convolution(network)
        if layer is None or not self.shows(fitted):
            return Measured()
        test = test_split(self, fitted)
        outputs = outputs_of(network, test.inputs)
        surety, predicted = functional.softmax(outputs, dim=-1).max(dim=-1)
        index = chosen(predicted, test.targets, surety, self.examples)
        maps = grad_cam(network, layer, test.inputs[index], predicted[index])
        return Measured(
            artifact={
                "images": pixels(fitted.test_inputs(as_array(index))),
                "maps": as_array((255 * maps).round().byte()),
                "classes": as_array(test.targets[index]),
                "predicted": as_array(predicted[index]),
                "surety": as_array(surety[index]).astype(numpy.float64).round(3),
            }
        )

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw test images beside where their network looked."""
        del evidence
        found = [one for one in shown if _has_maps(one)]
        if not found:
            return None
        width = max(_examples_wide(one) for one in found)
        with style.theme():
            panels = tuple(_looks(one, width) for one in found[:MOST_PANELS])
        return base.Picture(
            self.name,
            "Where a convolutional network looks",
            f"{whose(found)}: Grad-CAM of the last convolution, for the class that was predicted,"
            " on test images. Upper rows: the image, with a line around the half of the map that"
            " speaks most for the class; lower rows: the map, bright where it speaks most. It says"
            " where the evidence lies, not whether it is good evidence. It weighs whole channels:"
            " of a network whose next layer weighs every place by itself it shows little."
            f"{left_out(len(found))}",
            f"Grad-CAM of {plural(len(panels), 'network')}. " + " ".join(map(_mistakes, found)),
            panels,
            columns=1,
        )


# --- what is measured -----------------------------------------------------------------------------
def last_convolution(network: nn.Module) -> nn.Module | None:
    """Return the module whose output is the last one made of places; None if there is none.

    Of the built-in networks it is taken after norm, activation and shortcut.
    """
    from harness.layers.blocks import HiddenLayer
    from harness.models.resnet.network import ResidualBlock

    conv, modules = torch.nn.Conv2d, list(network.modules())
    blocks = [m for m in modules if isinstance(m, ResidualBlock)]
    hidden = [m for m in modules if isinstance(m, HiddenLayer) and isinstance(m.linear, conv)]
    plain = [m for m in modules if isinstance(m, conv)]
    found: list[nn.Module] = [*plain[-1:], *hidden[-1:], *blocks[-1:]]
    return found[-1] if found else None


def grad_cam(network: nn.Module, layer: nn.Module, inputs: Tensor, classes: Tensor) -> Tensor:
    """Return where each input speaks for a class, (n, height, width) of the layer's output, 0 to 1.

    The layer's channels are weighted by the mean gradient of the class's score over all places;
    what speaks against the class is left out; the largest value of each map becomes 1.

    Args:
        network: in evaluation, whose examples do not depend on each other.
        layer: inside it, with an output (n, channels, height, width).
        inputs: of shape (n, ...).
        classes: whose score is explained, (n,).
    """
    seen: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        seen.append(output.detach().requires_grad_())
        return seen[0].clone()  # what follows may write in place

    handle = layer.register_forward_hook(keep)
    with torch.enable_grad():
        scores = network(inputs).gather(1, classes[:, None])
        (gradients,) = torch.autograd.grad(scores.sum(), seen)
    handle.remove()
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    maps = (weights * seen[0].detach()).sum(dim=1).relu()
    return maps / maps.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)


def chosen(predicted: Tensor, targets: Tensor, surety: Tensor, count: int) -> Tensor:
    """Return the indices of right examples, then of wrong ones, at most `count` of each.

    Right: the first of each class in turn. Wrong: those that the network was surest of.
    """
    right = torch.nonzero(predicted == targets)[:, 0].tolist()
    turns: dict[int, int] = {}
    ranked = []
    for index in right:  # the first of every class, then the second of every class, ...
        label = int(targets[index])
        turns[label] = turns.get(label, 0) + 1
        ranked.append((turns[label], label, index))
    wrong = torch.nonzero(predicted != targets)[:, 0]
    wrong = wrong[surety[wrong].argsort(descending=True, stable=True)]
    rights = [index for *_, index in sorted(ranked)[:count]]
    return torch.tensor([*rights, *wrong[:count].tolist()], device=targets.device)


def pixels(images: NDArray[Any]) -> NDArray[numpy.uint8]:
    """Return images (n, channels, height, width), pixels 0 to 1 or 0 to 255, as bytes.

    Of images beyond 32 pixels a side, every second pixel is kept, or every third, ...
    """
    step = -(-max(images.shape[-2:]) // LARGEST_SIDE)
    small = images[..., ::step, ::step]
    if small.dtype == numpy.uint8:
        return small
    scaled: NDArray[numpy.uint8] = numpy.clip(255 * small, 0, 255).round().astype(numpy.uint8)
    return scaled


# --- what is drawn --------------------------------------------------------------------------------
def _has_maps(shown: Shown) -> bool:
    parts = shown.parts
    count = len(parts["classes"])
    alike = all(len(parts[name]) == count for name in parts)
    return count > 0 and alike and parts["images"].ndim == 4 and parts["maps"].ndim == 3


def _examples_wide(shown: Shown) -> int:
    right = int((shown.parts["classes"] == shown.parts["predicted"]).sum())
    return max(right, len(shown.parts["classes"]) - right)


def _mistakes(shown: Shown) -> str:
    wrong = [
        f"{shown.class_name(int(true))} taken for {shown.class_name(int(said))}"
        for true, said in zip(shown.parts["classes"], shown.parts["predicted"], strict=True)
        if true != said
    ]
    return f"{shown.arm}: mistakes shown are {', '.join(wrong) or 'none'}."


def _looks(shown: Shown, across: int) -> Figure:
    """Draw right examples, and wrong ones below: the image, and under it the map."""
    parts = shown.parts
    right = parts["classes"] == parts["predicted"]
    block, head = 2 * (_CELL + _GAP) + 0.32, 0.28
    width = 0.75 + across * (_CELL + _GAP)
    figure = style.new_figure(width, head + 2 * block)
    figure.text(
        0.02, 1 - 0.18 / (head + 2 * block), f"{shown.arm}, seed {shown.seed}",
        fontweight="bold", fontsize=9.5, va="center",
    )  # fmt: skip
    for row, (mask, word) in enumerate(((right, "right"), (~right, "wrong"))):
        top = head + row * block
        _write(figure, 0.08, top + 0.3 + _CELL, word)
        for column, index in enumerate(numpy.flatnonzero(mask)):
            left = 0.65 + column * (_CELL + _GAP)
            heat = _upscaled(parts["maps"][index], parts["images"].shape[-2:])
            told = _told(shown, int(index))
            size = min(6.5, 100 / max(map(len, told.split("\n"))))
            _write(figure, left, top + 0.25, told, size, "bottom")
            upper = _cell(figure, left, top + 0.28)
            _image(upper, parts["images"][index])
            if heat.max() > 0:
                upper.contour(heat, levels=[127.5], colors=style.SERIES[1], linewidths=1.3)
            lower = _cell(figure, left, top + 0.28 + _CELL + 0.05)
            lower.imshow(heat, cmap="rocket", vmin=0, vmax=255, interpolation="none")
            if heat.max() <= 0:
                lower.set_title("nothing", y=0.4, fontsize=8, loc="center", color=style.PAPER)
        if not mask.any():
            _write(figure, 0.65, top + 0.3 + _CELL, f"none of the test split is {word}", 7.5)
    return figure


def _told(shown: Shown, index: int) -> str:
    """Say what an example was taken for and how surely, and what it is if that is something else.

    Two lines where one would be too long for the width of an image.
    """
    true, said = (shown.class_name(int(shown.parts[n][index])) for n in ("classes", "predicted"))
    share = number(100 * float(shown.parts["surety"][index]), 2)
    parts = [] if said == true else [f"{true} →"]
    parts.append(f"{said} ({share} %)")
    text = " ".join(parts)
    return text if len(text) <= _LINE else "\n".join(parts)


def _write(
    figure: Figure, left: float, top: float, text: str, size: float = 8, anchor: str = "center"
) -> None:
    """Write at a place that is measured in inches from the upper left corner."""
    width, height = figure.get_size_inches()
    colour = style.INK if size > 7 else style.MUTED
    figure.text(left / width, 1 - top / height, text, fontsize=size, va=anchor, color=colour)


def _cell(figure: Figure, left: float, top: float) -> Axes:
    """Return axes for one small image, placed in inches from the upper left corner."""
    width, height = figure.get_size_inches()
    axes = style.new_axes(figure, (left, width - left - _CELL, height - top - _CELL, top))
    axes.axis("off")
    return axes


def _image(axes: Axes, pixels: NDArray[Any]) -> None:
    """Draw an image (channels, height, width) in grey, or in its colours."""
    if len(pixels) == 3:
        axes.imshow(pixels.transpose(1, 2, 0).astype(numpy.uint8), interpolation="none")
        return
    axes.imshow(pixels.mean(axis=0), cmap="gray", vmin=0, vmax=255, interpolation="none")


def _upscaled(heat: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return a map at the size of its image, by linear interpolation."""
    from PIL import Image

    small = Image.fromarray(heat.astype(numpy.float32))
    return numpy.asarray(small.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))
