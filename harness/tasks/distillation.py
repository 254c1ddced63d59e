"""A network that learns from another one: its answers are a second target.

Hinton, Vinyals and Dean 2015, Distilling the knowledge in a neural network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form, Kind
from harness.lazy import functional
from harness.metrics import Metric
from harness.tasks.base import Batch, Scores, State, Supervised
from harness.tasks.classification import Classes, Classification

if TYPE_CHECKING:
    from torch import Tensor


class Distillation(Supervised):
    """Learn the class of each input, and what a trained network says of it.

    The teacher is a stage: `uses: {teacher: NAME}`. It sees each batch as the student does,
    augmented or not, and is kept as it is.
    """

    name: Literal["distillation"]
    temperature: float = Field(
        4.0, gt=0, le=100, description="both networks' outputs are divided by it; high: softer"
    )
    weight: float = Field(
        0.5, ge=0, le=1, description="of the teacher's answers; the rest is that of the true class"
    )

    metrics: ClassVar[tuple[Metric, ...]] = Classification.metrics
    selects: ClassVar[str] = Classification.selects
    targets: ClassVar[tuple[Kind, ...]] = Classification.targets
    usual_loss: ClassVar[str] = Classification.usual_loss
    per_example: ClassVar[tuple[str, ...]] = Classification.per_example
    takes: ClassVar[Mapping[str, str]] = {
        "teacher": "predictions", "initial": "weights", "augmentation": "samples",
    }  # fmt: skip
    needs: ClassVar[tuple[str, ...]] = ("teacher",)
    packable: ClassVar[bool] = False

    def scores(self, form: Form) -> Scores:
        """See `Supervised`: without the teacher, so that arms can be compared."""
        del form
        return Classes()

    def outcomes(self, outputs: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        """See `Task`."""
        return Classes().outcomes(outputs, targets)

    def step(self, state: State, batch: Batch) -> Mapping[str, Tensor]:
        """Take one step down both losses, weighted; the curve shows each of them too."""
        assert state.objective is not None
        outputs = state.outputs(self.main, batch.inputs)
        hard = state.objective.loss.alone(outputs, batch.targets)
        soft = soft_loss(
            outputs, state.given["teacher"].predictions(batch.inputs), self.temperature
        )
        loss = self.weight * soft + (1 - self.weight) * hard
        state.update(self.main, loss)
        return {"loss": loss.detach(), "hard_loss": hard.detach(), "soft_loss": soft.detach()}


def soft_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return the mean divergence of a student's softened answers from a teacher's, in nats.

    It is multiplied by the square of the temperature, so that its gradient is of the size of the
    true class's whatever the temperature is (Hinton et al. 2015, section 2).

    Args:
        student: logits (batch, classes).
        teacher: the same of the teacher.
        temperature: that both are divided by.
    """
    said = functional.log_softmax(student / temperature, dim=-1)
    wanted = functional.log_softmax(teacher / temperature, dim=-1)
    divergence: Any = functional.kl_div(said, wanted, reduction="batchmean", log_target=True)
    loss: Tensor = divergence * temperature**2
    return loss
