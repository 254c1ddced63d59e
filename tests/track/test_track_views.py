"""The views that the description of an experiment links to."""

import base64
import json
import zlib

from tracking_examples import execution

from harness.track.views import views


def states(**fields):
    found = {}
    for view in views(execution(**fields)):
        name, value = view.tag
        assert len(value) < 20_000, "MLflow takes no longer tag"
        packed = base64.b64decode(value.removeprefix("deflate;"))
        found[name.removeprefix("mlflow.sharedViewState.")] = json.loads(zlib.decompress(packed))
    return found


def test_confirmed_runs_are_grouped_by_arm_with_results_and_factors():
    arms = states(arms=("relu", "tanh"), factors=("activation",))["arms"]
    assert arms["searchFilter"] == "tags.phase = 'confirmation'"
    assert arms["groupBy"]["groupByKeys"] == [{"mode": "tag", "groupByData": "arm"}]
    assert arms["groupsExpanded"] == {"tag.arm.relu": False, "tag.arm.tanh": False}
    assert arms["selectedColumns"][0] == "metrics.`test/accuracy`"
    assert "params.`activation`" in arms["selectedColumns"]


def test_a_metric_that_is_better_low_is_sorted_upwards():
    assert states(primary_metric="test.mse", goal="minimize")["arms"]["orderByAsc"] is True
    assert states()["arms"]["orderByAsc"] is False


def test_searches_are_shown_where_there_are_any():
    assert set(states()) == {"arms", "executions"}
    search = states(searched=("optimizer.lr",))["search"]
    [parallel, _] = search["compareRunCharts"]
    assert parallel["selectedParams"] == ["optimizer.lr"]
    assert parallel["selectedMetrics"] == ["validation/accuracy"]


def test_a_thousand_arms_fit():
    states(arms=tuple(f"activation-{n} depth-{n % 7}" for n in range(1_000)))
