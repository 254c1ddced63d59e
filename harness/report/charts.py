"""Charts that answer to pointer and keyboard: learning curves, and two arms seed by seed.

uPlot draws them in the reader's browser (github.com/leeoniya/uPlot, MIT): 51 kB without anything
else that it needs, where Observable Plot takes five times as much with what it needs. The pictures
of the page stay; without scripts nothing is missing but these charts.
"""

from __future__ import annotations

import json
import math
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.figures._labels import axis_label
from harness.figures.learning_curves import curve_table
from harness.report.example_values import LEFT_OUT
from harness.report.page_size import MOST_BYTES

if TYPE_CHECKING:
    from harness.report.view import ProfileView

PLACE = "<!--charts-->"
"""What the template of a page has in their place."""
EXAMPLES = "<!--examples-->"
"""What it has in the place of the test examples."""
_MOST_ARMS = 60
_MOST_POINTS = 80
_MOST_TRIALS = 2_000


def charts_of(view: ProfileView) -> str:
    """Return the charts of a profile, as a part of its page."""
    return view.part("the charts", _charts, view) or ""


def with_charts(page: str, view: ProfileView, charts: str) -> str:
    """Put the charts and the test examples of a profile into its page, if it stays small enough."""
    page = _placed(page, PLACE, charts)
    if not view.example_values:
        return page.replace(EXAMPLES, "", 1)
    large = _stored("example-values", LEFT_OUT)
    return _placed(page, EXAMPLES, _stored("example-values", view.example_values), large)


def _placed(page: str, place: str, made: str, otherwise: str = "") -> str:
    fits = len(page.encode()) + len(made.encode()) <= MOST_BYTES
    return page.replace(place, made if fits else otherwise, 1)


def _stored(name: str, data: dict[str, Any]) -> str:
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'


def _charts(view: ProfileView) -> str:
    data = {"profile": view.name, "curves": _curves(view), "seeds": _seeds(view)}
    if not any((data["curves"], data["seeds"])):
        return ""
    style, library, script = map(_file, ("uplot/uPlot.min.css", "uplot/uPlot.iife.min.js",
                                         "charts.js"))  # fmt: skip
    return (
        f"{_stored('charts', data)}\n<style>{style}</style>\n"
        f"<script>{library}</script>\n<script>\n{script}</script>"
    )


@cache
def _file(name: str) -> str:
    return (files("harness.report") / "templates" / name).read_text(encoding="utf-8")


def _curves(view: ProfileView) -> dict[str, Any]:
    """Return the mean validation metric of each arm by epoch; of long trainings some epochs."""
    evidence, metric = view.evidence, view.evidence.validation_metric
    if metric not in evidence.curves or evidence.curves.empty:
        return {}
    tables = {arm.name: curve_table(evidence, arm.name, metric) for arm in evidence.plan.all_arms}
    means = {arm: t.mean() for arm, t in tables.items() if t is not None and not t.empty}
    if not means:
        return {}
    epochs = np.array(sorted({int(epoch) for mean in means.values() for epoch in mean.index}))
    few = np.unique(np.linspace(0, len(epochs) - 1, _MOST_POINTS).round().astype(int))
    shown = epochs[few].tolist()
    known = evidence.plan.metric(metric)
    best = (
        sorted(means, key=lambda arm: -known.sign * means[arm].iloc[-1])
        if known.goal
        else list(means)
    )
    return {
        "metric": axis_label(known),
        "epochs": shown,
        "arms": {a: [_short(means[a].get(e)) for e in shown] for a in best[:_MOST_ARMS]},
    }


def _seeds(view: ProfileView) -> dict[str, Any]:
    """Return the trial of each arm and seed, and where it stands, as seen from the page."""
    if not view.arm_values or len(view.evidence.confirmation) > _MOST_TRIALS:
        return {}
    rows = view.evidence.confirmation
    found: dict[str, dict[str, list[str]]] = {}
    for arm, seed, trial in zip(rows["arm"], rows["seed"], rows["trial_id"], strict=True):
        place = view.trials.addresses.get(trial, "")
        found.setdefault(str(arm), {})[str(int(seed))] = [str(trial)[:12], place]
    return found


def _short(value: Any) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.4g}")
