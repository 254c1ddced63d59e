"""The score of a candidate on each of two halves of its validation examples."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from harness.lazy import numpy, torch
from harness.metrics import Metric
from harness.probes._networks import at_rest, outputs_of
from harness.probes.base import Fitted, Measured, Probe
from harness.seeding import stream


class SplitHalf(Probe):
    """Each candidate of a search on two halves of its validation examples, drawn at random.

    One half can choose among candidates and the other one judge the same trained network afresh:
    `search.optimism` is how much the choice flatters (Cawley and Talbot, JMLR 2010), and
    `search.optimism_per_doubling` how that grows with the number of candidates. The test split is
    not read. All candidates of a search seed have the same halves.
    """

    name: Literal["split_half"]

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("first_half", None, "", "score on one half of the validation examples"),
        Metric("second_half", None, "", "score on the other half of the validation examples"),
    )
    in_search: ClassVar[bool] = True

    def refusal(self, workload: Any) -> str | None:
        """It needs a score that is a mean over examples which are independent of each other."""
        if getattr(workload.data, "group_column", None) is not None:
            return (
                "divides validation examples one by one; those of a group "
                f"(`{workload.data.group_column}`) are not independent of each other"
            )
        task = workload.learns
        if task.selects in task.per_example:
            return None
        return (
            "needs a score that is a plain mean over independent examples, such as the accuracy of"
            f" classes; the task {task.name} selects by {task.selects}"
        )

    def measure(self, fitted: Fitted) -> Measured:
        """Give the mean score of each half; of an odd number of examples one is left out.

        Raises:
            ValueError: if there is only one example.
        """
        split, task = fitted.splits.validation, fitted.task
        count = len(split.targets) // 2
        if count == 0:
            raise ValueError("one validation example cannot be divided in two halves")
        outputs = outputs_of(at_rest(fitted.network), split.inputs)
        scores = task.outcomes(outputs, split.targets)[task.selects].double()
        drawn = numpy.random.default_rng(stream(fitted.seed, self.name))
        order = torch.from_numpy(drawn.permutation(len(scores))).to(scores.device)
        first, second = order[:count], order[count : 2 * count]
        return Measured(
            {"first_half": float(scores[first].mean()), "second_half": float(scores[second].mean())}
        )
