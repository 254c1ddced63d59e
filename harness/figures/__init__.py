"""Evidence to figures; the only place that knows seaborn and matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from harness.evidence import Evidence, shown_by
from harness.figures.arms import arms_compared
from harness.figures.curves import learning_curves, searches
from harness.figures.forest import forest
from harness.figures.glance import at_a_glance
from harness.figures.interactions import interactions
from harness.figures.style import Picture
from harness.figures.tradeoff import quality_and_cost
from harness.probes import Probe
from harness.trial import Verdict

__all__ = [
    "Picture",
    "at_a_glance",
    "draw_all",
    "picture_of",
    "primary_metric",
    "validation_metric",
]


def primary_metric(evidence: Evidence) -> str:
    """Return the test metric that a study is about: the twin of the one it searches by."""
    study, plan = evidence.plan.study, evidence.plan
    own = "test." + plan.search_metric(plan.baseline).partition(".")[2]
    if study.search is not None:
        return own
    claimed = [t.metric for claim in study.claims for t in claim.tests]
    named = [metric for metric in claimed if metric.startswith("test.")]
    return max(named, key=named.count) if named else own


def validation_metric(evidence: Evidence) -> str:
    """Return the validation metric that goes with the primary one, or else selects the epoch."""
    twin = "validation." + primary_metric(evidence).partition(".")[2]
    plan = evidence.plan
    return twin if twin in evidence.trials else plan.search_metric(plan.baseline)


def _plainly(key: str, title: str, make: Callable[[], Any], absent: Any) -> Any:
    del key, title, absent
    return make()


def picture_of(probe: Probe, evidence: Evidence) -> Picture | None:
    """Draw what a probe of the study shows; its picture is called after it."""
    picture = probe.draw(shown_by(evidence, type(probe)), evidence)
    name = f"inside-{probe.name.replace('_', '-')}"
    return None if picture is None else replace(picture, name=name)


def draw_all(
    evidence: Evidence, verdicts: Sequence[Verdict], attempt: Callable[..., Any] = _plainly
) -> dict[str, Picture]:
    """Draw every figure that the evidence allows, by name, in the order of the report.

    Args:
        evidence: of one profile.
        verdicts: on its claims.
        attempt: carries out (key, title, what draws, what stands for it if that fails).
    """
    test, validation = primary_metric(evidence), validation_metric(evidence)
    makers: dict[str, Callable[[], Picture | Sequence[Picture] | None]] = {
        "effects": lambda: forest(evidence.plan.study, verdicts),
        "arms": lambda: arms_compared(evidence, test),
        "interactions": lambda: interactions(evidence, test),
        "learning-curves": lambda: learning_curves(evidence, validation),
        "quality-and-cost": lambda: quality_and_cost(evidence, test),
        "search": lambda: searches(evidence, validation),
        **{
            f"inside-{probe.name}": partial(picture_of, probe, evidence)
            for probe in evidence.plan.study.probes
        },
    }
    found: list[Picture] = []
    for name, make in makers.items():
        made = attempt(f"picture-{name}", f"the picture {name.replace('_', '-')}", make, None)
        found += [made] if isinstance(made, Picture) else made or []
    return {picture.name: picture for picture in found}
