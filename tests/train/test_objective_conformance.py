"""Every optimizer, loss and metric keeps the promises that all of them make."""

from harness.components import OPTIMIZERS
from harness.form import Form
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
        *sorted(set(OPTIMIZERS) - {"torch.optim.Class"}),
        {"name": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": True},
        {"name": "torch.optim.Adamax", "lr": 0.01},
    )


class TestLosses(LossConformance):
    harness_cases = (
        *(("cross_entropy", FORMS[kind]) for kind in ("class", "sequence")),
        *((f"mean_{which}_error", FORMS["numbers"]) for which in ("squared", "absolute")),
    )


class TestMetrics(MetricConformance):
    harness_cases = tuple(
        (name, form) for kind, form in FORMS.items() for name in usual_task(kind).measures
    )
