"""Every optimizer, loss and metric keeps the promises that all of them make."""

from harness.data_spec import Form
from harness.registry import LOSSES, OPTIMIZERS
from harness.tasks import usual_task
from harness.testing.objectives import LossConformance, MetricConformance
from harness.testing.optimizers import OptimizerConformance

FORMS = {
    "class": Form((8,), 4),
    "sequence": Form((5,), 4, "sequence", 4),
    "numbers": Form((8,), 2, "numbers"),
}


class TestOptimizers(OptimizerConformance):
    harness_cases = (
        *OPTIMIZERS.own(),
        {"name": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": True},
        {"name": "torch.optim.Adamax", "lr": 0.01},
    )


class TestLosses(LossConformance):
    harness_cases = tuple(
        (name, FORMS[kind]) for name in LOSSES.own() for kind in LOSSES.find(name).targets
    )


class TestMetrics(MetricConformance):
    harness_cases = tuple(
        (name, form) for kind, form in FORMS.items() for name in usual_task(kind).measures
    )
