"""Test images beside what an autoencoder restores of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.formatting import plural
from harness.lazy import numpy, torch
from harness.probes._networks import as_array, at_rest, test_split
from harness.probes._pictures import base, image_panels, images, left_out, whose
from harness.probes.base import Fitted, Measured, Showing, Shown, no_images
from harness.probes.codes import no_code
from harness.probes.grad_cam import pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from harness.evidence import Evidence
    from harness.figures.base import Picture


class Reconstructions(Showing):
    """Test images, one of each class in turn, and what an autoencoder restores of their codes."""

    name: Literal["reconstructions"]
    examples: int = Field(10, ge=1, le=20, description="images to show")

    parts: ClassVar[tuple[str, ...]] = ("images", "restored")
    any_task: ClassVar[bool] = True
    of_simple: ClassVar[bool] = True

    def refusal(self, workload: Any) -> str | None:
        """It needs an autoencoder, and images."""
        return no_code(workload) or no_images(workload)

    def measure(self, fitted: Fitted) -> Measured:
        """Give the images of the seeds that are shown."""
        if not self.shows(fitted):
            return Measured()
        test = test_split(self, fitted)
        index = in_turn(as_array(test.targets), self.examples)
        inputs = test.inputs[torch.from_numpy(index).to(test.inputs.device)]
        with torch.no_grad():
            restored = at_rest(fitted.network)(inputs)
        return Measured(
            artifact={
                "images": drawn(fitted, inputs),
                "restored": drawn(fitted, restored),
            }
        )

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw a panel for each arm: images above what is restored of them."""
        del evidence
        found = [
            one for one in shown
            if images.are_images(one.parts["images"])
            and one.parts["images"].shape == one.parts["restored"].shape
        ]  # fmt: skip
        if not found:
            return None
        panels = image_panels(
            found,
            lambda one: [
                ("test image", images.as_bytes(one.parts["images"])),
                ("restored", images.as_bytes(one.parts["restored"])),
            ],
        )
        return base.Picture(
            self.name,
            "Test images and what is restored of them",
            f"{whose(found)}: test images, the first of each class, and below them what the decoder"
            " makes of their codes. It shows one network; the errors of all seeds stand in the"
            f" table of arms.{left_out(len(found))}",
            f"Test images above their reconstructions by {plural(len(panels), 'autoencoder')}.",
            panels,
            columns=1,
        )


def in_turn(classes: NDArray[Any], count: int) -> NDArray[numpy.int64]:
    """Return the indices of the first of each class, then of the second of each, and so on.

    Where targets are no classes, those of the first examples.
    """
    if classes.ndim != 1 or classes.dtype.kind not in "iu":
        return numpy.arange(min(count, len(classes)))
    turns: dict[int, int] = {}
    ranked = []
    for index, label in enumerate(classes.tolist()):
        turns[label] = turns.get(label, 0) + 1
        ranked.append((turns[label], label, index))
    return numpy.array([index for *_, index in sorted(ranked)[:count]], dtype=numpy.int64)


def drawn(fitted: Fitted, inputs: Tensor) -> NDArray[numpy.uint8]:
    """Return normalized images, (n, ...), as pixels (n, channels, height, width)."""
    raw = fitted.denormalized(inputs.reshape(len(inputs), *fitted.form.shape))
    return pixels(as_array(raw))
