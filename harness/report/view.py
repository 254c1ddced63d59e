"""Everything that the page and the Markdown file say about one profile, ready to be shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

from harness.evidence import Evidence
from harness.figures import Picture, at_a_glance, draw_all, primary_metric
from harness.integrity import Check, Standing, check
from harness.report import answer, costs, facts, tables
from harness.report.ablation import ablations
from harness.report.importance import importance
from harness.report.inside import Sample, written
from harness.report.tables import Table
from harness.report.trials import TrialList
from harness.trial import Verdict
from harness.wording import why

Lost = Sequence[tuple[str, int, str]]
Made = TypeVar("Made")


@dataclass(frozen=True)
class ProfileResult:
    """What a report is made of for one profile: its newest execution, judged.

    `lost` holds (trial_id, attempt, cause) of attempts that ended without a record; `standing` says
    whether the records were published, and what the study file says today.
    """

    evidence: Evidence
    verdicts: Sequence[Verdict]
    lost: Lost = ()
    standing: Standing = field(default_factory=Standing)
    left_out: dict[str, str] = field(default_factory=dict, init=False, compare=False, repr=False)
    """The parts of its report that could not be drawn, by key: what they are, and why."""

    def attempt(self, key: str, title: str, make: Callable[[], Made], absent: Made) -> Made:
        """Make a part of the report; one that fails is left out, and costs no verdict."""
        try:
            return make()
        except Exception as error:  # whatever it is, the verdicts stand
            self.left_out[key] = f"{title} could not be drawn ({why(error)})"
            return absent

    @property
    def study(self) -> str:
        """The name of the study."""
        return self.evidence.execution.study

    @property
    def profile(self) -> str:
        """The name of the profile."""
        return self.evidence.execution.profile

    @property
    def imported(self) -> bool:
        """Whether other code trained its runs, which were logged in MLflow."""
        return bool(self.evidence.execution.context.get("imported"))

    @cached_property
    def checks(self) -> list[Check]:
        """What was looked for that could weaken the verdicts."""
        given = self.evidence, self.verdicts, self.lost, self.standing
        return self.attempt("checks", "the checks of integrity", lambda: check(*given), [])


def part(
    title: str, absent: Any = None
) -> Callable[[Callable[[Any], Made]], cached_property[Made]]:
    """Make a property of a view a part of the page, which is left out where it cannot be made.

    Args:
        title: what it is, in words.
        absent: what stands for it then.
    """

    def decorate(make: Callable[[Any], Made]) -> cached_property[Made]:
        def guarded(view: ProfileView) -> Made:
            made: Made = view.result.attempt(make.__name__, title, lambda: make(view), absent)
            return made

        guarded.__doc__ = make.__doc__
        return cached_property(guarded)

    return decorate


@dataclass(frozen=True)
class ProfileView:
    """One profile in words, tables and pictures."""

    result: ProfileResult

    @property
    def evidence(self) -> Evidence:
        """The evidence of the profile."""
        return self.result.evidence

    @property
    def name(self) -> str:
        """The name of the profile, which is also the folder of its figures."""
        return self.evidence.execution.profile

    @part("the setting", "")
    def setting(self) -> str:
        """Data, epochs, seeds and arms in a line."""
        return facts.setting_in_short(self.evidence)

    @part("the day of the end", "")
    def finished(self) -> str:
        """When the execution ended."""
        return facts.when(self.evidence.execution.ended)

    @cached_property
    def rows(self) -> list[answer.Row]:
        """The verdicts in words."""
        return answer.rows(
            self.evidence.plan.study, self.result.verdicts, self.result.standing.discussions
        )

    @cached_property
    def by_claim(self) -> Mapping[str, answer.Row]:
        """The verdicts by the id of their claim."""
        return {row.id: row for row in self.rows}

    @property
    def headline(self) -> str:
        """The counts of verdicts in a sentence."""
        return answer.headline(self.result.verdicts)

    @part("the best arm", "")
    def best(self) -> str:
        """The best arm beside the simple baseline, in a sentence."""
        return tables.best_in_words(self.evidence)

    @part("the findings", ())
    def findings(self) -> list[answer.Finding]:
        """The claims that tell most, by verdict."""
        return answer.findings(self.result.verdicts, self.rows)

    @part("the pictures", {})
    def drawn(self) -> dict[str, Picture]:
        """The figures by name."""
        return draw_all(self.evidence, self.result.verdicts, self.result.attempt)

    @cached_property
    def pictures(self) -> dict[str, Picture]:
        """The figures that the page shows, by name."""
        return {name: p for name, p in self.drawn.items() if self.encoded(p, p.svgs) is not None}

    def encoded(self, picture: Picture, encode: Callable[[], Made]) -> Made | None:
        """Turn a picture into what a file or a page holds; None where that fails."""
        key, title = f"picture-{picture.name}", f"the picture {picture.name}"
        return self.result.attempt(key, title, encode, None)

    def complete(self) -> None:
        """Make every part, so that the page can begin with those that are left out."""
        for name, kind in vars(ProfileView).items():
            if isinstance(kind, cached_property):
                getattr(self, name)

    @part("the picture of the study at a glance")
    def glance(self) -> Picture | None:
        """The study at a glance, for the scoreboard."""
        picture = at_a_glance(self.evidence, self.evidence.primary_metric)
        if picture is not None:
            picture.svgs()
        return picture

    @property
    def searches(self) -> list[Picture]:
        """The figures of the search."""
        return [p for name, p in self.pictures.items() if name.startswith("search-")]

    @property
    def inside(self) -> list[Picture]:
        """The figures of what networks are like inside."""
        return [p for name, p in self.pictures.items() if name.startswith("inside-")]

    @part("the texts that networks wrote", ())
    def samples(self) -> Sequence[Sample]:
        """Texts that networks wrote."""
        return written(self.evidence)

    @part("the leaderboard")
    def leaderboard(self) -> Table | None:
        """Simple baseline, baseline and best arm."""
        return tables.leaderboard(self.evidence)

    @part("the table of all arms")
    def arms(self) -> Table | None:
        """All arms."""
        return tables.all_arms(self.evidence)

    @part("the table of ablations")
    def ablations(self) -> Table | None:
        """What each change is worth, in a design that makes one at a time."""
        return ablations(self.evidence)

    @part("the table of importance")
    def importance(self) -> Table | None:
        """How much each searched hyperparameter mattered."""
        return importance(self.evidence)

    @part("the table of probes")
    def probes(self) -> Table | None:
        """Probes by arm."""
        return tables.probes(self.evidence)

    @part("the table of costs")
    def costs(self) -> Table | None:
        """Cost by phase."""
        return costs.by_phase(self.evidence)

    @part("the table of costs by arm")
    def arm_costs(self) -> Table | None:
        """Cost by arm, where a forecast or a sensor has more to say than the arms' times."""
        return costs.by_arm(self.evidence)

    @part("the table of what did not complete")
    def failures(self) -> Table | None:
        """What did not complete."""
        return tables.failures(self.evidence, self.result.lost)

    @cached_property
    def trials(self) -> TrialList:
        """The confirmation trials."""

        def made() -> TrialList:
            found = TrialList(self.evidence, self.name)
            _ = found.tables, found.addresses
            return found

        nothing = replace(self.evidence, trials=self.evidence.trials.iloc[:0])
        title = "the list of confirmation trials"
        return self.result.attempt("trials", title, made, TrialList(nothing, self.name))

    @part("the plan", ())
    def planned(self) -> facts.Facts:
        """What was declared."""
        return facts.planned(self.evidence)

    @property
    def checks(self) -> list[Check]:
        """What was looked for that could weaken the verdicts."""
        return self.result.checks

    @property
    def deviations(self) -> list[str]:
        """What did not go as planned, or weakens the evidence, in sentences."""
        return [says for check in self.checks if check.outcome == "noted" for says in check.says]

    @part("where the records come from", "")
    def origin(self) -> str:
        """Where the records come from, if they were not made here; else empty."""
        return facts.origin(self.evidence, published=self.result.standing.published)

    @part("the facts of the execution", ())
    def execution(self) -> facts.Facts:
        """When it ran, how it ended, and what that cost beside its forecast."""
        spent = costs.in_words(self.evidence)
        return facts.execution_facts(self.evidence) + (
            [("Its trials took", spent)] if spent else []
        )

    @part("the environment", ())
    def environments(self) -> facts.Facts:
        """Where it ran."""
        return facts.environments(self.evidence)

    @part("the facts of the data", ())
    def data(self) -> facts.Facts:
        """Data and fingerprints."""
        return facts.data_facts(self.evidence)

    @part("the command", "")
    def command(self) -> str:
        """The command that repeats it."""
        return facts.command(self.evidence)

    @part("the training time", math.nan)
    def training_seconds(self) -> float:
        """The training time of all its trials; each distinct trial counts once."""
        rows = self.evidence.trials.drop_duplicates("trial_id")
        return float(rows["cost.seconds"].sum()) if "cost.seconds" in rows else float("nan")

    @part("the order of the profiles", (0.0, 0.0))
    def weight(self) -> tuple[float, float]:
        """What orders the profiles: examples in an epoch of the largest arm (about), then steps."""
        rows = self.evidence.confirmation
        rows = rows[rows["cost.steps"] > 0] if "cost.steps" in rows else rows.iloc[:0]
        if rows.empty:
            return 0.0, 0.0
        workloads = {arm.name: arm.workload for arm in self.evidence.plan.all_arms}
        batch = rows["arm"].map(lambda arm: workloads[arm]["batch_size"])
        epochs = (
            rows["cost.epochs"]
            if "cost.epochs" in rows
            else rows["arm"].map(lambda arm: workloads[arm]["epochs"])
        )
        return float((rows["cost.steps"] / epochs * batch).max()), float(rows["cost.steps"].sum())


def views_of(results: Sequence[ProfileResult]) -> list[ProfileView]:
    """Return the views of some profiles: most examples first, then most training steps."""
    views = sorted((ProfileView(result) for result in results), key=lambda view: view.name)
    return sorted(views, key=lambda view: view.weight, reverse=True)
