"""The model card of one arm (Mitchell et al. 2019), from its records and what was declared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.data import data_of
from harness.errors import nearest
from harness.evidence import Evidence, shown_by
from harness.figures._labels import axis_label, metric_name
from harness.formatting import as_file_name, level_text, listed, number, plural
from harness.integrity import Check
from harness.metrics import Metric
from harness.plan import SIMPLE_BASELINE, data_key
from harness.probes.confusion_matrix import ConfusionMatrix
from harness.report.blocks import Cell, Table, mean_cell
from harness.report.build import write
from harness.report.panels.arms import sizes_in_words
from harness.report.panels.cost import bill_in_words
from harness.report.panels.origin import command, environments
from harness.report.render import card_markdown, card_page
from harness.report.settings import day, in_words
from harness.report.view import ProfileResult
from harness.study import InputError
from harness.trial import State, digest
from harness.workloads import summary


@dataclass(frozen=True)
class Card:
    """What a card says of the networks of one arm: all that the records know, and no more."""

    result: ProfileResult
    arm: str

    @property
    def evidence(self) -> Evidence:
        """The evidence of the profile."""
        return self.result.evidence

    @property
    def name(self) -> str:
        """The name of the model."""
        return f"{self.result.study}-{self.result.profile}-{self.arm}"

    @property
    def winner(self) -> bool:
        """Whether it is the arm with the best mean validation result."""
        return self.arm == self.evidence.best_arm

    @property
    def mixed(self) -> bool:
        """Whether the arms of the study have different data, so that none is best at the same."""
        return len({data_key(arm.workload) for arm in self.evidence.plan.arms}) > 1

    @property
    def validation(self) -> str:
        """The name of the metric that chose the winner."""
        return metric_name(self.evidence.validation_metric)

    @cached_property
    def workload(self) -> Mapping[str, Any]:
        """The resolved settings of the arm."""
        arms = {arm.name: arm.workload for arm in self.evidence.plan.arms}
        return arms[self.arm]

    @property
    def settings(self) -> str:
        """The settings as text."""
        return json.dumps(_given(self.workload), indent=2)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The confirmation trials of the arm that completed."""
        rows = self.evidence.confirmation
        return rows[(rows["arm"] == self.arm) & (rows["state"] == State.COMPLETE.value)]

    @property
    def ended(self) -> str:
        """When the study was run."""
        return day(self.evidence.execution.ended)

    @property
    def code(self) -> str:
        """The version of the training code."""
        environment = self.evidence.execution.context.get("environment", {})
        return str(environment.get("code", "not recorded"))

    @property
    def parameters(self) -> str:
        """The number of parameters; with an adapter, also of those that were trained."""
        return sizes_in_words(self.rows, self.evidence, self.arm) or "not recorded"

    @property
    def cost(self) -> str:
        """What all trials of the study cost, at its prices; empty if that is not known."""
        return bill_in_words(self.evidence)

    @property
    def tuned(self) -> list[str]:
        """The values that the arm's search chose, once for each winner."""
        columns = [str(c) for c in self.rows if str(c).startswith("parameter.")]
        winners = self.rows[columns].dropna(axis="columns", how="all").drop_duplicates()
        return [
            listed(
                [f"{str(name).partition('.')[2]} = {_value(value)}" for name, value in row.items()]
            )
            for row in winners.to_dict("records")
            if row
        ]

    @property
    def factors(self) -> list[str]:
        """What the study varied, with its levels."""
        return [
            f"{name}: {listed([level_text(level) for level in factor.levels])}"
            for name, factor in self.evidence.plan.study.factors.items()
        ]

    @property
    def data(self) -> str:
        """The data set with its settings and fingerprint."""
        mark = self.evidence.plan.fingerprints.get(data_key(self.workload), "none recorded")
        return f"{in_words(self.workload['data'])}; fingerprint {mark}"

    @property
    def sizes(self) -> tuple[int, int]:
        """About how many examples there are outside the test split, and in it."""
        found = summary(self.workload["data"])
        return found.examples, found.test

    @property
    def duplicates(self) -> str:
        """How many test inputs also stand among the other examples."""
        found = self.evidence.execution.context.get("duplicates", {})
        count = found.get(self.workload["data"]["name"])
        return "not counted" if count is None else f"{count:,}"

    @property
    def seeds(self) -> str:
        """On how many seeds the arm was confirmed."""
        return plural(len(self.rows), "seed")

    @property
    def lacking(self) -> int:
        """How many confirmation trials of the arm did not complete."""
        rows = self.evidence.confirmation
        return int((rows["arm"] == self.arm).sum()) - len(self.rows)

    @property
    def metric(self) -> str:
        """The name of the primary metric."""
        return metric_name(self.evidence.primary_metric)

    @property
    def results(self) -> Table:
        """Every metric of every split, with intervals, beside the baseline arm and simple model."""
        plan = self.evidence.plan
        arms_of = [arm.name for arm in plan.all_arms]
        wanted = [self.arm, plan.baseline.name, SIMPLE_BASELINE]
        arms = [arm for arm in dict.fromkeys(wanted) if arm in arms_of]
        known_of = [str(name) for name in self.rows.dropna(axis="columns", how="all")]
        kinds = ("test.", "validation.", "train.", "probe.")
        metrics = [name for kind in kinds for name in known_of if name.startswith(kind)]
        values = {metric: self.evidence.values_by_arm(metric) for metric in metrics}
        rows = [
            [Cell(axis_label(plan.metric(metric)))]
            + [
                mean_cell(values[metric].get(arm), "not measured for this arm", plan.metric(metric))
                for arm in arms
            ]
            for metric in metrics
        ]
        columns = ["Metric", *(self._role(arm) for arm in arms)]
        return Table("Means over the confirmation seeds, with 95 % t intervals", columns, rows)

    @property
    def by_class(self) -> Table | None:
        """The share of each class that was recognized, where confusion matrices were kept."""
        found = [
            shown
            for shown in shown_by(self.evidence, ConfusionMatrix)
            if shown.arm == self.arm and shown.parts["counts"].ndim == 2
        ]
        if not found:
            return None
        recall = np.array([_recall(shown.parts["counts"]) for shown in found])
        share = Metric("recall", bounds=(0.0, 1.0))
        rows = [
            [Cell(found[0].class_name(index)), mean_cell(values, "no such example", share)]
            for index, values in enumerate(recall.T)
        ]
        caption = "Share of each class of the test split that is recognized, with 95 % t intervals"
        return Table(caption, ["Class", "Recall"], rows)

    @property
    def checks(self) -> list[Check]:
        """What was noted against the evidence."""
        return [check for check in self.result.checks if check.outcome == "noted"]

    @property
    def environments(self) -> list[tuple[str, str]]:
        """Where it was trained."""
        return environments(self.evidence)

    @property
    def command(self) -> str:
        """The command that trains it again."""
        return command(self.evidence)

    @property
    def front_matter(self) -> str:
        """What machines read of a card, as YAML."""
        from huggingface_hub import EvalResult, ModelCardData

        primary, data = self.evidence.primary_metric, str(self.workload["data"]["name"])
        values = self.evidence.values_by_arm(primary).get(self.arm, np.zeros(0))
        metric = primary.partition(".")[2]
        low, high = self.evidence.plan.metric(primary).interval(values)
        measured = EvalResult(
            task_type=data_of(self.workload["data"]).hub_task or "other",
            dataset_type=data,
            dataset_name=data,
            dataset_split="test",
            metric_type=metric,
            metric_value=round(float(values.mean()), 6),
            metric_name=f"{metric}, mean of {self.seeds}, 95 % interval {low:.4g} to {high:.4g}",
        )
        text: str = ModelCardData(
            model_name=self.name,
            license="unknown",
            library_name="pytorch",
            datasets=[data],
            metrics=[metric],
            tags=["ablation-study", str(self.workload["model"]["name"])],
            eval_results=[measured],
        ).to_yaml()
        return text

    def _role(self, arm: str) -> str:
        roles = {self.arm: "this model", SIMPLE_BASELINE: "no deep learning"}
        return f"{arm} ({roles.get(arm, 'the baseline arm')})"


def card_of(result: ProfileResult, arm: str | None = None) -> Card:
    """Return the card of an arm, or of the one with the best mean validation result.

    Raises:
        InputError: if there is no such arm, none of its trials has completed, or other code
            trained them.
    """
    evidence = result.evidence
    if result.imported:
        raise InputError(
            f"the networks of {result.study} were trained elsewhere; what a card has to say of them"
            " is not known here"
        )
    where = f"study {result.study}, profile {result.profile}"
    names = [one.name for one in evidence.plan.arms]
    if arm is not None and arm not in names:
        raise InputError(f"{where}, has no arm '{arm}'{nearest(arm, names)}")
    chosen = arm or evidence.best_arm
    metric = evidence.validation_metric
    if chosen is None and evidence.values_by_arm(metric):
        raise InputError(
            f"{where}: nothing says whether a low or a high {metric_name(metric)} is better, so"
            f" that no arm is the best; name one with --arm ({', '.join(names)})"
        )
    if chosen is None or chosen not in evidence.values_by_arm(evidence.primary_metric):
        whose = "no arm" if chosen is None else f"no confirmation trial of arm {chosen}"
        raise InputError(f"{where}: {whose} has completed, so that nothing is known of it yet")
    return Card(result, chosen)


def write_card(card: Card, folder: Path) -> Path:
    """Write a card as Markdown and as a page; return the Markdown file."""
    folder.mkdir(parents=True, exist_ok=True)
    text = card_markdown(card)
    profile, arm = card.result.profile, as_file_name(card.arm, "._+-")
    if "-" in profile:  # where it ends, the file's name alone does not tell
        arm = f"{arm}-{digest([profile, card.arm])[:8]}"
    file = folder / f"card-{profile}-{arm}.md"
    write(file, text.encode())
    write(file.with_suffix(".html"), card_page(card, text).encode())
    return file


def _recall(counts: Any) -> Any:
    return np.diag(counts) / np.maximum(counts.sum(axis=1), 1)


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not set."""
    return {
        name: _given(value) if isinstance(value, Mapping) else value
        for name, value in settings.items()
        if value is not None
    }


def _value(value: Any) -> str:
    return number(value) if isinstance(value, int | float) else str(value)
