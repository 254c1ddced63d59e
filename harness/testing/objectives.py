"""What every loss and every metric must promise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from pydantic import TypeAdapter
from torch import Tensor

from harness.data_spec import Form
from harness.losses import LossSetting
from harness.metrics import functions
from harness.metrics import metric_of as known_metric
from harness.own.imports import own_function
from harness.study.workload import OwnMetric
from harness.tasks import objective_for, total
from harness.train.evaluation import measure

EXAMPLES = 24
LossCase = tuple[dict[str, Any] | str, Form]
"""A loss as a study file names it, and the form of the data that it is for."""
MetricCase = tuple[dict[str, Any] | str, Form]
"""A metric as a study file names it ({name: function}), and the form of the data that it is for."""


class LossConformance:
    """Inherit from it, and list what is to be tested:

    class TestLoss(LossConformance):
        harness_cases = [("acme.losses:focal", Form((8,), 4))]
    """

    harness_cases: ClassVar[Sequence[LossCase]] = ()

    def test_it_is_one_finite_number_that_leads_somewhere(self, case: LossCase) -> None:
        """A network can be trained by it."""
        outputs = draw_outputs(case[1]).requires_grad_()
        found = loss_of(case, outputs, draw_targets(case[1]))
        assert found.numel() == 1
        assert torch.isfinite(found).all()
        found.backward()
        assert outputs.grad is not None
        assert torch.isfinite(outputs.grad).all()
        assert outputs.grad.abs().sum() > 0

    def test_it_is_a_mean_and_the_same_when_asked_again(self, case: LossCase) -> None:
        """Twice the examples cost as much, so that batches of any size are alike."""
        outputs, targets = draw_outputs(case[1]), draw_targets(case[1])
        once = loss_of(case, outputs, targets)
        assert torch.equal(once, loss_of(case, outputs, targets))
        twice = loss_of(case, torch.cat([outputs, outputs]), torch.cat([targets, targets]))
        torch.testing.assert_close(once, twice)

    def test_right_answers_cost_less_than_wrong_ones(self, case: LossCase) -> None:
        """It is better low."""
        targets = draw_targets(case[1])
        right = loss_of(case, answers(targets, case[1]), targets)
        wrong = loss_of(case, answers(targets.roll(1, 0), case[1]), targets)
        assert float(right) < float(wrong)


class MetricConformance:
    """Inherit from it, and list what is to be tested:

    class TestMetric(MetricConformance):
        harness_cases = [({"f1": "acme.metrics:f1"}, Form((8,), 4))]
    """

    harness_cases: ClassVar[Sequence[MetricCase]] = ()

    def test_the_order_of_examples_does_not_matter(self, case: MetricCase) -> None:
        """It is of a whole split, finite, and the same when asked again."""
        outputs, targets = draw_outputs(case[1]), draw_targets(case[1])
        found = metric_of(case, outputs, targets)
        assert found == metric_of(case, outputs, targets)
        order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(2))
        other = metric_of(case, outputs[order], targets[order])
        torch.testing.assert_close(torch.tensor(found), torch.tensor(other))

    def test_right_answers_are_better_than_wrong_ones(self, case: MetricCase) -> None:
        """In the direction of its goal, where the harness, the case or the function says it."""
        targets = draw_targets(case[1])
        right = metric_of(case, answers(targets, case[1]), targets)
        wrong = metric_of(case, answers(targets.roll(1, 0), case[1]), targets)
        goal = goal_of(case)
        if goal is None:
            assert right != wrong
        else:
            assert right < wrong if goal == "minimize" else right > wrong


def loss_of(case: LossCase, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the loss of a batch as training sees it."""
    adapter: TypeAdapter[Any] = TypeAdapter(LossSetting)
    given = adapter.dump_python(adapter.validate_json(json.dumps(case[0])), mode="json")
    return objective_for({"loss": given}, case[1]).loss.mean(outputs, targets)


def metric_of(case: MetricCase, outputs: Tensor, targets: Tensor) -> float:
    """Return the metric of the predictions for a split."""
    if isinstance(case[0], str):
        return total(objective_for({}, case[1]), outputs, targets)[case[0]]
    return measure(functions_of(case), outputs, targets)[name_of(case)]


def name_of(case: MetricCase) -> str:
    """Return the name of a metric."""
    return case[0] if isinstance(case[0], str) else next(iter(case[0]))


def functions_of(case: MetricCase) -> dict[str, str]:
    """Return the function of a metric of one's own by its name, registered or not."""
    given = {} if isinstance(case[0], str) else functions({"metrics": case[0]})
    return TypeAdapter(dict[str, OwnMetric]).validate_python(given)


def goal_of(case: MetricCase) -> str | None:
    """Return which way a metric is better; None where nobody says."""
    own = {} if isinstance(case[0], str) else {"metrics": case[0]}
    said = known_metric(f"test.{name_of(case)}", own).goal
    for function in functions_of(case).values():
        said = said or getattr(own_function(function), "goal", None)
    return said


def draw_outputs(form: Form) -> Tensor:
    """Draw what a network may say, shape (examples, ..., outputs)."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(*_places(form), form.outputs, generator=generator)


def draw_targets(form: Form) -> Tensor:
    """Return targets; neighbouring examples have different ones."""
    places = _places(form)
    if form.kind == "numbers":
        count = EXAMPLES * form.outputs
        return torch.linspace(-1, 1, count).reshape(EXAMPLES, form.outputs)
    steps = places[1] if len(places) > 1 else 1
    return (torch.arange(EXAMPLES)[:, None] + torch.arange(steps)).reshape(places) % form.outputs


def answers(targets: Tensor, form: Form) -> Tensor:
    """Return outputs of a network that is sure of these targets."""
    if form.kind == "numbers":
        return targets.clone()
    return 4.0 * torch.nn.functional.one_hot(targets, form.outputs).float()


def _places(form: Form) -> tuple[int, ...]:
    return (EXAMPLES, *(form.shape[:1] if form.kind == "sequence" else ()))
