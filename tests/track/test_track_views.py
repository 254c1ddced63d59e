"""The views that the description of an experiment links to."""

import base64
import json
import zlib

from tracking_examples import execution

from harness.track.views import summary_views, views


def states(*, claims=True, **fields):
    of = execution(**fields)
    found = {}
    for view in [*views(of), *summary_views(of, claims=claims)]:
        name, value = view.tag
        assert len(value) < 20_000, "MLflow takes no longer tag"
        packed = base64.b64decode(value.removeprefix("deflate;"))
        found[name.removeprefix("mlflow.sharedViewState.")] = json.loads(zlib.decompress(packed))
    return found


def test_no_view_averages_the_runs_that_happen_to_be_loaded():
    for state in states(searched=("optimizer.lr",)).values():
        assert not state["groupBy"]


def test_the_arms_are_those_of_one_execution_under_its_profile_and_as_the_newest():
    found = states(arms=("relu", "tanh"), factors=("activation",), mirror="m1", profile="quick")
    arms = found["arms"]
    assert arms == found["arms-quick"]
    assert arms["searchFilter"] == "tags.role = 'arm' and tags.mirror = 'm1'"
    low_high = ["metrics.`interval/low`", "metrics.`interval/high`"]
    assert arms["selectedColumns"][:3] == ["metrics.`test/accuracy`", *low_high]
    assert {"params.`activation`", "tags.`claims`"} < set(arms["selectedColumns"])
    assert found["claims-quick"]["searchFilter"] == "tags.role = 'claim' and tags.mirror = 'm1'"
    assert "claims" not in states(claims=False)


def test_a_metric_that_is_better_low_is_sorted_upwards():
    assert states(primary_metric="test.mse", goal="minimize")["arms"]["orderByAsc"] is True
    assert states()["arms"]["orderByAsc"] is False


def test_searches_are_shown_where_there_are_any():
    assert "search" not in states()
    search = states(searched=("optimizer.lr",))["search"]
    [parallel, _] = search["compareRunCharts"]
    assert parallel["selectedParams"] == ["optimizer.lr"]
    assert parallel["selectedMetrics"] == ["validation/accuracy"]


def test_a_thousand_arms_fit():
    states(arms=tuple(f"activation-{n} depth-{n % 7}" for n in range(1_000)))
