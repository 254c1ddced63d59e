"""Pictures of what probes found."""

from dataclasses import replace

import numpy as np
import pytest
from artifact_examples import NAMES, artifacts_of, with_artifacts
from report_examples import draw_all

from harness.data.cifar10 import CIFAR10
from harness.data.digits import Digits
from harness.evidence import shown_by
from harness.figures.inside import picture_of
from harness.probes.base import Shown, as_details
from harness.probes.corruption import Corruption
from harness.probes.grad_cam import GradCAM
from harness.registry import PROBES
from harness.study.design import build_arms


def draw_probes(evidence):
    drawn = [picture_of(probe, evidence) for probe in evidence.plan.study.probes]
    return [picture for picture in drawn if picture is not None and picture.name in NAMES]


@pytest.fixture(scope="module")
def evidence(finished):
    return with_artifacts(finished.evidence)


@pytest.fixture(scope="module")
def pictures(evidence):
    return {picture.name: picture for picture in draw_probes(evidence)}


def test_a_picture_of_each_kind_with_a_panel_for_each_arm(finished, evidence, pictures):
    assert pictures.keys() == NAMES
    assert draw_probes(finished.evidence) == []
    assert draw_all(evidence, finished.verdicts).keys() >= NAMES
    for picture in pictures.values():
        assert len(picture.panels) == (4 if picture.name == "inside-attention-maps" else 2)
        assert len({tuple(panel.get_size_inches()) for panel in picture.panels}) == 1
        assert picture.caption.endswith(".")
        assert picture.png().startswith(b"\x89PNG")


def test_the_same_records_give_the_same_pictures(evidence, pictures):
    for picture in draw_probes(evidence):
        assert picture.svgs() == pictures[picture.name].svgs()


def test_counts_are_means_over_seeds_with_their_deviation(evidence, pictures):
    rows = evidence.confirmation
    arm = evidence.plan.arms[0].name
    seeds = sorted(rows[rows["arm"] == arm]["seed"])
    picture = pictures["inside-confusion-matrix"]
    confused = [2 + seed % 2 for seed in seeds]
    mean = np.mean(confused)
    texts = {text.get_text() for text in picture.panels[0].axes[0].texts}
    assert {"9.0", f"{mean:.1f}", f"±{np.std(confused, ddof=1):.2f}"} <= texts
    assert f"{arm}: 3 taken for 8 ({mean:.2f} times a seed)" in picture.alt


def test_what_is_said_of_a_map_and_of_mistakes_stands_in_words(pictures):
    embedding, looks = pictures["inside-embedding"], pictures["inside-grad-cam"]
    assert "neighbour purity 0.875" in embedding.alt
    assert "Purity 0.875, trustworthiness of the map 0.960" in embedding.svgs()[0]
    assert "3 taken for 8, 4 taken for 9" in looks.alt
    assert "3 → 8 (90 %)" in looks.svgs()[0]
    assert "nothing" in looks.svgs()[0]  # the map without any evidence
    assert "7 of 16; the largest weight is 0.71" in pictures["inside-first-layer-filters"].svgs()[0]


def test_tokens_are_texts_and_not_formulas_or_tags(pictures):
    svg = pictures["inside-attention-maps"].svgs()[0]
    assert "$x_1$" in svg
    assert "&lt;b&gt;" in svg
    assert "␣" in svg
    assert "↵" in svg


@pytest.mark.parametrize("probe", sorted(artifacts_of()))
def test_damaged_artifacts_are_left_out(evidence, probe):
    """Records may come from elsewhere: lists of another length must break no report."""
    row = evidence.confirmation.iloc[0]
    whole = as_details(PROBES.find(probe), artifacts_of()[probe])
    for name in whole:
        for damaged in ([], [1, 2, 3], ["a", "b"]):
            details = {row["trial_id"]: {**whole, name: damaged}}
            draw_probes(replace(evidence, details=details))


def test_classes_keep_the_names_that_they_had_before_some_were_chosen():
    shown = Shown("arm", 0, {}, Digits(name="digits", classes=[3, 8]).class_names)
    assert (shown.class_name(1), shown.class_name(7)) == ("8", "7")


def test_long_names_of_classes_have_room(finished, evidence):
    study = finished.evidence.plan.study
    data = CIFAR10(name="cifar10")
    workload = study.workload.model_copy(update={"data": data})
    arms = build_arms(study.model_copy(update={"workload": workload}))
    plan = replace(evidence.plan, arms=arms)
    pictures = {picture.name: picture for picture in draw_probes(replace(evidence, plan=plan))}
    assert ">automobile</text>" in pictures["inside-confusion-matrix"].svgs()[0]
    assert "cat taken for ship" in pictures["inside-grad-cam"].alt
    assert "9 truck" in pictures["inside-embedding"].caption


def test_failed_trials_show_nothing(evidence):
    trials = evidence.trials.assign(state="failed")
    assert shown_by(replace(evidence, trials=trials), GradCAM) == []


def test_corruption_has_a_panel_for_each_arm_and_a_line_for_each_kind(finished):
    arms = [arm.name for arm in finished.evidence.plan.all_arms][:2]
    parts = {"accuracy": np.array([[0.9, 0.8, 0.4], [0.9, 0.7, 0.3]]),
             "severity": np.array([0, 1, 5]), "kind": np.array(["noise", "shift"])}  # fmt: skip
    shown = [Shown(arm, seed, parts) for arm in arms for seed in range(3)]
    broken = Shown(arms[0], 3, {**parts, "severity": np.array([0, 1])})  # of another version
    picture = Corruption(name="corruption").draw([*shown, broken], finished.evidence)
    assert [panel.axes[0].get_title(loc="left") for panel in picture.panels] == arms
    texts = {text.get_text() for text in picture.panels[0].axes[0].texts}
    assert {"noise", "shift"} <= texts
    assert Corruption(name="corruption").draw([broken], finished.evidence) is None
