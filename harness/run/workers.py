"""The workers of a run: what each trial is given, and the executor with their data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.cluster import (
    Bench,
    Block,
    ClusterError,
    Executor,
    Head,
    Key,
    Needs,
    Pack,
    open_bench,
    open_executor,
)
from harness.lazy import torch
from harness.own.imports import Luggage
from harness.plan import Plan
from harness.pretrained import own_code
from harness.run.outcome import RunOptions
from harness.run.prepare import timing_machine, uses_gpu
from harness.run.stages import given_of
from harness.store import Store
from harness.study import InputError, Problem, Study
from harness.study.running import interval, seconds, size_in_bytes
from harness.tasks import needed
from harness.train import Checkpoints
from harness.trial import Phase, Record, Trial
from harness.workloads import Dataset

FOLDER = "checkpoints"


class Workers:
    """The executor of a run, opened with the data when it is first needed."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        options: RunOptions,
        datasets: Sequence[Dataset],
        head: Head | None = None,
    ):
        """Begin without an executor; `head` is of a Ray that has begun to start."""
        self._head = head
        self._plan = plan
        self._store = store
        self._options = options
        self._datasets = datasets
        self._provided: set[Key] = set()
        self._executor: Executor | None = None
        self._bench: Bench | None = None

    def executor(self) -> Executor:
        """Return the executor, which has the data.

        Raises:
            InputError: if the cluster cannot be joined.
        """
        if self._executor is None:
            self._executor = self._open()
            for dataset in self._datasets:
                self._executor.provide(dataset)
        return self._executor

    def dismiss(self) -> None:
        """End a Ray that has begun to start, as there is nothing to train; it would disturb."""
        if self._executor is None and self._head is not None:
            self._head.stop()
            self._head = None

    def submit(self, pack: Pack) -> None:
        """Hand over a pack, and what it uses of stages when the first one needs it."""
        executor = self.executor()
        stages = {stage.trial.id: stage.trial for stage in self._plan.stages.values()}
        for key in set(pack.needed.values()) - self._provided:
            executor.provide_products(key, given_of(stages[key[0]], self._store, key[1]))
            self._provided.add(key)
        executor.submit(pack)

    def lacking(self) -> list[str]:
        """Say what trials are not given although the study asks for it."""
        gpus = self._plan.study.resources.gpus
        if not (self._options.in_process and gpus) or torch.cuda.is_available():
            return []
        return [f"`resources.gpus: {gpus:g}`, but this process sees no GPU: it trains on the CPU"]

    # --- timing blocks -----------------------------------------------------------------------
    def timing_machine(self) -> Mapping[str, Any]:
        """Return what tells the machine that measures timing blocks from others."""
        if self._options.address is None or self._options.in_process:
            return timing_machine(self._plan.study, in_process=self._options.in_process)
        return self._open_bench().machine

    def measure(self, trials: Sequence[Trial]) -> list[Record]:
        """Measure a timing block: one trial of each arm, once the workers are gone."""
        study = self._plan.study
        stages = {stage.trial.id: stage.trial for stage in self._plan.stages.values()}
        keys = {key for trial in trials for key in needed(trial.workload).values()}
        data = {d.fingerprint: d.for_phase(Phase.TIMING) for d in self._datasets}
        block = Block(
            tuple(trials),
            {trial.data_fingerprint: data[trial.data_fingerprint] for trial in trials},
            {key: given_of(stages[key[0]], self._store, key[1]) for key in keys},
            study.resources.cpus,
            uses_gpu(study, self._options.in_process),
            Luggage.pack(),
        )
        return self._open_bench().measure(block)

    def _open_bench(self) -> Bench:
        if self._bench is None:
            if self._executor is not None:
                self._executor.close()
            study, options = self._plan.study, self._options
            try:
                self._bench = open_bench(
                    gpu=uses_gpu(study, options.in_process),
                    address=None if options.in_process else options.address,
                    modules=own_modules(self._plan),
                    needs=needs_of(study, options.results),
                )
            except ClusterError as error:
                raise InputError([Problem(str(error), "--address")]) from None
        return self._bench

    def close(self) -> None:
        """Return when the workers are gone."""
        if self._executor is not None:
            self._executor.close()
        if self._bench is not None:
            self._bench.close()

    def _open(self) -> Executor:
        options = self._options
        try:
            return open_executor(
                head=self._head,
                in_process=options.in_process,
                address=options.address,
                needs=needs_of(self._plan.study, options.results),
                modules=own_modules(self._plan),
            )
        except ClusterError as error:
            raise InputError(
                [Problem(str(error), "--address" if options.address else "")]
            ) from None


def needs_of(study: Study, results: Path) -> Needs:
    """Return what each trial of a study is given.

    Args:
        study: the study.
        results: the folder of results, which checkpoints lie in unless the study says otherwise.
    """
    resources, limit = study.resources, study.faults.time_limit
    return Needs(
        cpus=resources.cpus,
        gpus=resources.gpus,
        memory=None if resources.memory is None else size_in_bytes(resources.memory),
        custom=dict(resources.custom),
        labels=dict(resources.labels),
        workers=resources.workers,
        strategy=resources.strategy,
        time_limit=None if limit is None else seconds(limit),
        checkpoints=checkpoints_of(study, results),
    )


def checkpoints_of(study: Study, results: Path) -> Checkpoints | None:
    """Return where and how often trials are saved, or None."""
    if study.checkpoints is None:
        return None
    epochs, pause = interval(study.checkpoints.every)
    folder = study.checkpoints.folder or str(results / FOLDER)
    local = "://" not in folder and "::" not in folder
    return Checkpoints(str(Path(folder).resolve()) if local else folder, epochs, pause)


def own_modules(plan: Plan) -> list[str]:
    """Return the modules of the functions that are the user's own, of stages and probes as well."""
    workloads = [stage.trial.workload for stage in plan.stages.values()]
    workloads += [arm.workload for arm in plan.all_arms]
    probes = [{"name": probe.name} for probe in plan.study.probes]
    names = {name for workload in workloads for name in own_code(workload, probes)}
    return sorted({name.partition(":")[0] for name in names})
