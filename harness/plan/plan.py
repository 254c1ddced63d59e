"""The plan of a study: its arms, the trials each phase consists of, and its hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from harness.identity import selecting_metric, training_version
from harness.metrics import Metric, deciding, metric_of
from harness.own.package import code_version
from harness.own.reach import source_version
from harness.plan.space import SearchSpace, make_space
from harness.pretrained import own_code
from harness.probes import PROBES, CurveProbe, Showing, class_of
from harness.seeding import PRETRAINING_SEED, confirmation_seeds, search_seeds
from harness.study import (
    Arm,
    Study,
    arm_spaces,
    build_stages,
    candidate_workload,
    select,
    used_stages,
    with_settings,
)
from harness.study.design import SIMPLE_BASELINE, is_simple_baseline, simple_arms
from harness.study.timing import timed_metric
from harness.study.timing_checks import timed_arms
from harness.trial import TIMED_BY, WORKERS, Phase, Trial, digest, with_sources


@dataclass(frozen=True)
class Winner:
    """The candidate that a search chose: its index, and the values of the searched settings."""

    candidate: int | None
    parameters: Mapping[str, Any]


FIXED = Winner(None, {})
"""Stands for the winner of an arm that is not searched."""


@dataclass(frozen=True)
class Assignment:
    """What a trial is for. Several assignments may share one trial."""

    trial: Trial
    arm: str
    phase: Phase
    candidate: int | None
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """Everything that is known before the first trial runs.

    `fingerprints` maps each arm's data configuration (as a digest) to the data's fingerprint.
    """

    study: Study
    profile: str
    arms: Sequence[Arm]
    fingerprints: Mapping[str, str]
    overrides: Mapping[str, Any]

    @cached_property
    def hash(self) -> str:
        """Hash of all that is declared: claims, design, margins, budget and error rate.

        A claim's `discussion` is written once its verdict is known, and is no part of it; nor is
        how the study is run.
        """
        running = ("profiles", "resources", "faults", "checkpoints", "prices")
        undeclared: Any = dict.fromkeys(running, True)
        undeclared["claims"] = {"__all__": {"discussion"}}
        declared = self.study.model_dump(mode="json", exclude_unset=True, exclude=undeclared)
        stages = declared.pop("stages", {})  # another spelling of the same
        return digest(declared | ({"pretraining": self.study.all_stages} if stages else {}))

    @cached_property
    def declaration(self) -> dict[str, Any]:
        """The resolved study as plain data; it can be read again without its file."""
        return self.study.model_dump(mode="json", exclude_unset=True, exclude={"profiles"})

    @cached_property
    def all_arms(self) -> list[Arm]:
        """The arms, and after them the simple baseline if the study has one."""
        if any(arm.name == SIMPLE_BASELINE for arm in self.arms):  # a claim is about it
            return list(self.arms)
        return [*self.arms, *simple_arms(self.study)]

    @cached_property
    def stages(self) -> Mapping[str, Assignment]:
        """The trials of the stages that arms use, by name, each after those that it uses itself."""
        workloads = build_stages(self.study)
        stages: dict[str, Assignment] = {}
        for name in used_stages(self.study, self.arms, workloads):
            workload = _sourced(workloads[name], stages)
            (trial,) = self._trials(workload, [PRETRAINING_SEED], Phase.PRETRAINING)
            stages[name] = Assignment(trial, name, Phase.PRETRAINING, None, {})
        return stages

    @cached_property
    def baseline(self) -> Arm:
        """The reference arm."""
        return next((arm for arm in self.arms if arm.is_baseline), self.arms[0])

    @cached_property
    def _spaces(self) -> Mapping[str, SearchSpace | None]:
        search = self.study.search
        if search is None:
            return {}
        dimensions, compared = arm_spaces(search, self.arms), search.samplers_differ(self.arms)
        metrics = {arm.name: self.metric(self.search_metric(arm)) for arm in self.arms}
        return {
            arm.name: make_space(search, arm, dimensions[arm.name], metrics[arm.name], compared)
            for arm in self.arms
        }

    def space(self, arm: Arm) -> SearchSpace | None:
        """Return what is searched for an arm, or None where everything is fixed."""
        return None if is_simple_baseline(arm.name) else self._spaces.get(arm.name)

    def search_metric(self, arm: Arm) -> str:
        """Return the metric that chooses an arm's winner: the study's, else the objective's own."""
        if self.study.search is not None and self.study.search.metric is not None:
            return self.study.search.metric
        return selecting_metric(arm.workload)

    @cached_property
    def _metrics(self) -> dict[str, Metric]:
        """Those that were asked for, since every arm has a say in each."""
        return {}

    def metric(self, name: str) -> Metric:
        """Return what is known of a metric: by the harness, or by what arms and probes declare."""
        if name not in self._metrics:
            self._metrics[name] = self._known_metric(name)
        return self._metrics[name]

    def _known_metric(self, name: str) -> Metric:
        if name == "search.best":
            chooses = self.metric(self.search_metric(self.baseline))
            meaning = f"best {chooses.name} that a search found"
            return replace(metric_of(name), goal=chooses.goal, unit=chooses.unit, meaning=meaning)
        for probe in self.study.probes:
            known: Metric | None = probe.measures.get(name.removeprefix("probe."))
            if known is not None and name.startswith("probe."):
                return replace(known, name=name)
        return timed_metric(name) or metric_of(name, *(arm.workload for arm in self.arms))

    def search_id(self, arm: Arm, repetition: int = 0) -> str:
        """Identity of one repetition of an arm's search: what is tuned, how, on which data."""
        space = self.space(arm)
        assert space is not None
        trials = [item.trial.id for item in self.search_trials(arm, 0, {}, repetition)]
        others: list[Any] = [space.pruning] if space.pruning else []
        others += [{"points": list(space.points)}] if space.points else []
        others += ["samplers are compared"] if space.compared else []
        return digest([trials, space.repeated(repetition).seed, space.metric.name, *others])

    def search_trials(
        self,
        arm: Arm,
        candidate: int,
        parameters: Mapping[str, Any],
        repetition: int = 0,
        stop_rules: Sequence[Sequence[Mapping[str, Any]]] = (),
    ) -> list[Assignment]:
        """Return the trials that value one candidate: one for each search seed.

        Args:
            arm: one of `all_arms`.
            candidate: its index among all candidates of the arm.
            parameters: the values of the searched settings.
            repetition: of the search, from 0; each has search seeds of its own.
            stop_rules: for each search seed, when its trial is to be stopped:
                `{epoch, metric, worse_than}`.
        """
        assert self.study.search is not None
        count = self.study.search.seeds
        seeds = search_seeds(count * (repetition + 1))[count * repetition :]
        items = self._assignments(arm, Phase.SEARCH, seeds, candidate, parameters)
        if not any(stop_rules):
            return items
        return [
            replace(item, trial=_ruled(item.trial, rules))
            for item, rules in zip(items, stop_rules, strict=True)
        ]

    def example(self, arm: Arm, parameters: Mapping[str, Any]) -> Trial:
        """Return a trial of a candidate that is no part of the plan, for trying things out."""
        own = candidate_workload(arm, parameters) if parameters else arm.workload
        workload = _sourced(own, self.stages)
        return self._trials(workload, [0], Phase.SEARCH, self.tried_probes(arm, workload))[0]

    def tried_probes(self, arm: Arm, workload: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
        """Return the probes of an arm that only a network and its data show to be right.

        They are those of other packages, and those that look into the data.
        """
        return tuple(
            kept
            for kept in self._probes(arm, workload)
            if not issubclass(class_of(kept), CurveProbe)
            and (kept["name"] not in PROBES.own() or class_of(kept).reads_data)
        )

    def confirmation_trials(
        self, arm: Arm, winners: Sequence[Winner], look: int = 0
    ) -> list[Assignment]:
        """Return the trials that are the arm's evidence: one for each confirmation seed.

        Args:
            arm: one of `all_arms`.
            winners: one for every repetition of the arm's search; the seeds take them in turn.
            look: which instalment of seeds, from 0; a study with a fixed number has one.
        """
        before = self.study.looks[look - 1] if look else 0
        turns, trials = confirmation_seeds(self.study.looks[look])[before:], []
        for place, winner in enumerate(winners):
            own = [self.study.first_seed + t for t in turns if t % len(winners) == place]
            trials += self._assignments(
                arm, Phase.CONFIRMATION, own, winner.candidate, winner.parameters
            )
        return sorted(trials, key=lambda item: item.trial.seed)

    @cached_property
    def timed_arms(self) -> list[Arm]:
        """The arms that are timed in blocks."""
        return timed_arms(self.study.timing, self.arms)

    def timing_blocks(
        self, winners: Mapping[str, Sequence[Winner]], machine: Mapping[str, Any]
    ) -> list[list[Assignment]]:
        """Return the trials of each block: one for each arm that is timed.

        All that one arm is timed beside is a part of what identifies its trial, and so are the
        number of blocks and the machine: what changes any of it has every block measured anew.

        Args:
            winners: of every arm that is timed, one for every repetition of its search; the blocks
                take them in turn.
            machine: that times them (`harness.cluster.blocks.machine`).
        """
        timing = self.study.timing
        if timing is None:
            return []
        how = timing.model_dump(mode="json", exclude={"on"})
        how |= {"threads": self.study.resources.cpus, "machine": dict(machine)}
        blocks = []
        for number in range(timing.blocks):
            chosen = [winners[arm.name] for arm in self.timed_arms]
            own = [each[number % len(each)] for each in chosen]
            workloads = [
                _sourced(candidate_workload(a, w.parameters) if w.parameters else a.workload,
                         self.stages)
                for a, w in zip(self.timed_arms, own, strict=True)
            ]  # fmt: skip
            trials = [self._trials(w, [number], Phase.TIMING)[0] for w in workloads]
            beside = digest([trial.to_dict() for trial in trials])
            blocks.append(
                [
                    Assignment(_timed(t, how | {"beside": beside}), arm.name, Phase.TIMING,
                               winner.candidate, winner.parameters)
                    for t, arm, winner in zip(trials, self.timed_arms, own, strict=True)
                ]
            )  # fmt: skip
        return blocks

    def _assignments(
        self,
        arm: Arm,
        phase: Phase,
        seeds: list[int],
        candidate: int | None,
        parameters: Mapping[str, Any],
    ) -> list[Assignment]:
        own = candidate_workload(arm, parameters) if parameters else arm.workload
        workload = _sourced(own, self.stages)
        probes = self._probes(arm, workload, phase)
        return [
            Assignment(trial, arm.name, phase, candidate, parameters)
            for trial in self._trials(workload, seeds, phase, probes)
        ]

    def _trials(
        self,
        workload: Mapping[str, Any],
        seeds: Sequence[int],
        phase: Phase,
        probes: tuple[Mapping[str, Any], ...] = (),
    ) -> list[Trial]:
        version = training_version(workload, self.own_version, probes)
        fingerprint = self.fingerprints.get(data_key(workload), "")
        own = {name: self.own_version(name) for name in own_code(workload, probes)}
        kept, workers = deciding(workload), self.study.resources.workers
        if workload.get("training") and workers > 1:
            kept = {**kept, WORKERS: workers}
        return [Trial(kept, seed, phase, fingerprint, version, probes, own) for seed in seeds]

    def own_version(self, name: str) -> str:
        """Return what identifies a user's own function, the same for the whole life of a plan."""
        if name not in self._own_versions:
            self._own_versions[name] = source_version(name)
        return self._own_versions[name]

    @cached_property
    def _own_versions(self) -> dict[str, str]:
        return {}

    def _probes(
        self, arm: Arm, workload: Mapping[str, Any], phase: Phase = Phase.CONFIRMATION
    ) -> tuple[Mapping[str, Any], ...]:
        """Return the probes that an arm's trials of a phase carry out."""
        probes = []
        for probe in self.study.probes:
            if probe.passes_over(workload["model"]):
                continue
            if probe.in_search != (phase is Phase.SEARCH):
                continue
            if probe.on and arm not in select(self.arms, probe.on):
                continue
            kept = probe.for_trial(partial(with_settings, workload))
            if isinstance(probe, Showing) and self.study.first_seed:
                kept = {**kept, "first_seed": self.study.first_seed}
            probes.append(kept)
        return tuple(probes)

    def trial_counts(self) -> dict[str, int]:
        """Return the number of trials by phase, before equal trials of several arms are merged.

        With seeds in instalments, confirmation is counted as far as the first look.
        """
        stages = {Phase.PRETRAINING.value: len(self.stages)} if self.stages else {}
        return stages | {
            Phase.SEARCH.value: sum(self.search_count(arm) for arm in self.all_arms),
            Phase.CONFIRMATION.value: len(self.all_arms) * self.study.first_seeds,
            **self._timing_count(),
        }

    def _timing_count(self) -> dict[str, int]:
        timing = self.study.timing
        return {Phase.TIMING.value: timing.blocks * len(self.timed_arms)} if timing else {}

    def search_count(self, arm: Arm) -> int:
        """Return the number of trials in the search of one arm.

        With a budget in epochs there are as many as fit if none ends early.
        """
        search = self.study.search
        return self.sure_candidates(arm) * search.seeds * search.repeats if search else 0

    def sure_candidates(self, arm: Arm) -> int:
        """Return how many candidates a repetition of an arm's search asks if none ends early."""
        space = self.space(arm)
        return min(space.candidates, space.budget // space.cost) if space else 0


def data_key(workload: Mapping[str, Any]) -> str:
    """Return the key under which a workload's data configuration is known."""
    return digest(workload["data"])


def _sourced(workload: Mapping[str, Any], stages: Mapping[str, Assignment]) -> Mapping[str, Any]:
    """Return a workload that names the trials of stages in place of the stages.

    A trial's identity then follows all that the products which it uses depend on.
    """
    return with_sources(workload, lambda name: stages[name].trial.id)


def make_plan(
    study: Study,
    arms: Sequence[Arm],
    *,
    profile: str = "default",
    overrides: Mapping[str, Any] | None = None,
    fingerprints: Mapping[str, str] | None = None,
) -> Plan:
    """Make the plan of a checked study; without fingerprints its trials have no final identity."""
    return Plan(study, profile, arms, fingerprints or {}, overrides or {})


def _timed(trial: Trial, how: Mapping[str, Any]) -> Trial:
    """Return the trial that times a workload; the code that does so identifies it as well."""
    code = digest([trial.code_version, code_version(["harness.train.timing"])])
    return replace(trial, workload={**trial.workload, TIMED_BY: dict(how)}, code_version=code)


def _ruled(trial: Trial, rules: Sequence[Mapping[str, Any]]) -> Trial:
    """Return a trial that is stopped where it falls behind; the rules are part of its identity."""
    if not rules:
        return trial
    return replace(trial, workload={**trial.workload, "stop_rules": [dict(rule) for rule in rules]})
