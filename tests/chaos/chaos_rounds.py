"""Rounds of chaos: a study while everything that it runs on is killed, stopped, cut off or full.

`make chaos` plays at least twenty: `python tests/chaos/chaos_rounds.py --rounds 20 --seed 0`. After
each, everything is compared with an undisturbed run of the same study.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from chaos_world import (
    Disk,
    World,
    again,
    client,
    end_conductor,
    kill_conductor,
    leave_the_network,
    pause_conductor,
)

from harness.run.observer import Observer
from harness.run.study_run import RunOptions, run_study
from harness.store import DATABASE, open_store
from harness.study import load_study

STUDY = """\
study: {name}
question: Does anything change when everything dies?
workload:
  data: {{name: digits, limit: 300}}
  model: {{name: mlp, depth: 2, width: 16, dropout: 0.2}}
  optimizer: adam
  epochs: 15
  batch_size: 32
faults: {{retries: 20}}
pretraining:
  low: {{data: {{classes: [0, 1, 2, 3, 4]}}}}
factors:
  activation: {{path: model.activation, levels: [relu, tanh]}}
arms:
  tuned: {{data.classes: [5, 6, 7, 8, 9], transfer: {{from: low}}}}
search: {{space: {{optimizer.lr: {{log: [1.0e-4, 1.0e-1]}}}}, candidates: 4, round: 2}}
seeds: 6
claims:
  - id: relu-differs-from-tanh
    says: ReLU differs from tanh
    metric: test.accuracy
    contrast: {{activation: [relu, tanh]}}
    differs_by: 0.001
"""
TRIALS = 1 + 3 * (4 + 6) + 6  # pretraining, three arms, and the simple baseline's confirmation
USUAL = ("worker", "node", "conductor", "server")
KINDS = (
    *USUAL, "signal", "pause", "head", "silence", "disk", "clock", "memory", "partition", "requeue",
    "foreman",
)  # fmt: skip
KILLS = 3  # in a round
PAUSE = 60.0  # seconds for which a conductor is stopped
ENDINGS = {"signal": {143, 129}, "head": {1}, "disk": {2}, "requeue": {1, 143}}
"""How a conductor may end where this was done to it; else with 0, or by SIGKILL."""
COMPARED = ("id", "verdict", "effect", "ci_low", "ci_high", "p_value", "p_corrected", "trials")
RUNS = 8  # of one round; more would mean that it never ends


@dataclass(frozen=True)
class Outcome:
    """What must be the same whatever was killed."""

    records: dict[str, dict[str, Any]]
    verdicts: list[list[Any]]


@dataclass
class Round:
    """What happened in one round, and what came out differently."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    seconds: float = 0.0
    differences: list[str] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)

    def may_end(self, status: int) -> bool:
        """Tell whether a conductor may end with a status after what was done so far."""
        done = [ENDINGS.get(kind, set()) for kind, count in self.kills.items() if count]
        return status in {0, -9}.union(*done)


def undisturbed(folder: Path) -> Outcome:
    """Run the study once in this process, in peace, and without MLflow and pictures."""
    study = _write(folder, "chaos")
    options = RunOptions(folder / "results", folder / "reports", in_process=True)
    with (
        patch("harness.run.mirroring.MirrorObserver", lambda *_: Observer()),
        patch("harness.report.view.draw", lambda *_: []),
    ):
        result = run_study(load_study(study), options)
    verdicts = [verdict.to_dict() for verdict in result.verdicts]
    return Outcome(_outcomes(folder), _compared(verdicts))


def play(world: World, expected: Outcome, seed: int, kinds_of: Sequence[str] = USUAL) -> Round:
    """Play one round of these kinds and compare; its folder stays if there are differences."""
    begin, draw = time.monotonic(), random.Random(seed)
    name = f"chaos-{seed}-{int(time.time())}"
    home = world.folder / name
    home.mkdir()
    played = Round(seed)
    study = _write(home, name)
    kinds = draw.sample(kinds_of, min(KILLS, len(kinds_of)))
    disk = Disk(home / "results") if "disk" in kinds else None
    moments = sorted(draw.randrange(TRIALS) for _ in kinds)
    process = world.conductor(study, home)
    played.runs += 1
    known: dict[str, float] = {}
    for kind, moment in zip(kinds, moments, strict=True):
        _await_records(process, home, moment)
        time.sleep(draw.uniform(0, 0.5))
        played.kills[kind] += _do(kind, world, process, disk, draw)
        known |= {id_: at for id_, at in _begun(home) if id_ not in known}
        if process.poll() is not None:
            _note_ending(played, process)
            process = world.conductor(study, home)
            played.runs += 1
    said = _finish(world, process, study, home, played)
    world.restore()
    if disk is not None:
        disk.empty()
    played.differences += _differences(expected, home, said)
    played.lost.update(_lost(home))
    twice = {id_ for id_, at in _begun(home) if id_ in known and known[id_] != at}
    played.differences += [f"{id_} was trained again" for id_ in sorted(twice)]
    played.differences += _mirror_differences(world.server.uri, name, set(expected.records))
    played.differences += world.fallen() if played.differences else []
    if disk is not None:
        disk.remove()
    played.seconds = time.monotonic() - begin
    return played


def _do(kind: str, world: World, process: Any, disk: Disk | None, draw: random.Random) -> bool:
    """Do one thing of a kind, and say whether there was something to do it to."""
    if kind == "conductor":
        return kill_conductor(process, draw)
    if process.poll() is not None:
        return False
    if kind == "signal":
        return end_conductor(process, draw)
    if kind == "pause":
        return pause_conductor(process, PAUSE)
    if kind == "requeue":
        return world.requeue(process)
    alone = {
        "silence": world.silence_node,
        "partition": world.cut_node,
        "memory": world.fill_memory,
        "clock": world.jump_clock,
    }
    if kind in alone:
        return alone[kind](draw)
    if kind == "disk":
        return disk is not None and _fill(disk, process)
    done: bool = getattr(world, f"kill_{kind}")(draw)
    if kind == "head":
        process.wait(300)  # its cluster is gone, and the new one is another
    return done


def _fill(disk: Disk, process: Any) -> bool:
    """Fill a disk until the conductor has met that, and make room again."""
    done = disk.fill()
    if done:
        process.wait(300)
        disk.empty()
    return done


def _write(folder: Path, name: str) -> Path:
    file = folder / "chaos.yaml"
    file.write_text(STUDY.format(name=name))
    return file


def _lost(home: Path) -> list[str]:
    """Return the kind of loss of each attempt that was lost."""
    connection = sqlite3.connect(home / "results" / DATABASE)
    causes = [cause for (cause,) in connection.execute("SELECT cause FROM attempts")]
    connection.close()
    return [cause.partition(":")[0] for cause in causes]


def _await_records(process: Any, home: Path, count: int) -> None:
    """Wait until a run has so many records, or is over."""
    while process.poll() is None and len(_begun(home)) < count:
        time.sleep(0.03)


def _begun(home: Path) -> list[tuple[str, float]]:
    """Return each recorded trial with the moment at which it began."""
    file = home / "results" / DATABASE
    if not file.is_file():
        return []
    connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=10)
    try:
        query = "SELECT trial_id, json_extract(record, '$.started') FROM records"
        return list(connection.execute(query))
    except sqlite3.OperationalError:  # its tables are still to be made
        return []
    finally:
        connection.close()


def _note_ending(played: Round, process: Any) -> None:
    """A conductor that was not told or forced to end ends with 0, whatever else was."""
    if not played.may_end(process.returncode):
        said = process.stderr.read()[-1500:] if not process.stderr.closed else ""
        played.differences.append(f"a conductor ended with {process.returncode}: {said}")


def _finish(world: World, process: Any, study: Path, home: Path, played: Round) -> Any:
    """Run until nothing is left to do and MLflow has all of it; return what the last run said."""
    while True:
        out, err = process.communicate(timeout=2400)
        if not played.may_end(process.returncode):
            played.differences.append(f"a conductor ended with {process.returncode}: {err[-1500:]}")
        if process.returncode == 0 and "MLflow" not in err:
            return json.loads(out)
        if played.runs >= RUNS:
            played.differences.append(f"not done after {RUNS} runs: {err[-500:]}")
            return {"claims": []}
        world.restore()
        process = world.conductor(study, home)
        played.runs += 1


def _outcomes(folder: Path) -> dict[str, dict[str, Any]]:
    store = open_store(folder / "results")
    found = {id_: store.record(id_) for id_ in store.states()}
    store.close()
    return {id_: record.deterministic_part() for id_, record in found.items() if record}


def _compared(claims: list[Any]) -> list[list[Any]]:
    return [[claim[name] for name in COMPARED] for claim in claims]


def _differences(expected: Outcome, home: Path, said: Any) -> Iterator[str]:
    found = _outcomes(home)
    for id_ in sorted(expected.records.keys() - found.keys()):
        yield f"{id_} is missing"
    for id_ in sorted(found.keys() - expected.records.keys()):
        yield f"{id_} was never planned"
    for id_ in sorted(expected.records.keys() & found.keys()):
        if found[id_] != expected.records[id_]:
            yield f"{id_} is another: {found[id_]} instead of {expected.records[id_]}"[:1500]
    if _compared(said["claims"]) != expected.verdicts:
        yield f"verdicts: {_compared(said['claims'])} instead of {expected.verdicts}"
    store = open_store(home / "results")
    (last,) = [execution.id for execution in store.executions()][-1:]
    rows = [(row.arm, row.phase, row.candidate, row.seed) for row in store.assigned_records(last)]
    store.close()
    if len(rows) != TRIALS or len(set(rows)) != TRIALS:
        yield f"the last execution has {len(rows)} assignments of {TRIALS}"


def _mirror_differences(uri: str, study: str, trial_ids: set[str]) -> Iterator[str]:
    """Say where MLflow has other than one finished run for each record, or a run still running."""
    store = client(uri)
    experiment = again(lambda: store.get_experiment_by_name(study))
    ids = [experiment.experiment_id]
    runs = again(lambda: store.search_runs(ids, "tags.role != ''", max_results=5000))
    finished: dict[str, int] = defaultdict(int)
    for run in runs:
        if run.info.status == "RUNNING":
            yield f"MLflow: {run.info.run_name} is still running"
        if run.data.tags["role"] == "trial":
            finished[run.data.tags["trial_id"]] += run.info.status == "FINISHED"
    for id_ in sorted(trial_ids | finished.keys()):
        if finished[id_] != 1:
            yield f"MLflow: {id_} has {finished[id_]} finished runs"
    parents = [run.info.status for run in runs if run.data.tags["role"] == "execution"]
    if "FINISHED" not in parents:
        yield f"MLflow: no execution finished: {parents}"


def main() -> None:
    """Play the rounds and print what was killed and what came out differently."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=USUAL)
    options = parser.parse_args()
    kills: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    differences = 0
    apart = "partition" in options.kinds and leave_the_network()
    foremen = "foreman" in options.kinds
    with World(apart=apart, jumping="clock" in options.kinds, foremen=foremen) as world:
        peace = world.folder / "peace"
        peace.mkdir()
        expected = undisturbed(peace)
        for seed in range(options.seed, options.seed + options.rounds):
            played = play(world, expected, seed, options.kinds)
            kills += played.kills
            differences += len(played.differences)
            lost += played.lost
            _say(
                f"round {seed}: killed {_shown(played.kills) or 'nothing'}; {played.runs} runs, "
                f"{played.seconds:.0f} s, attempts lost: {_shown(played.lost) or 'none'}, "
                f"{len(played.differences)} differences"
            )
            for difference in played.differences:
                _say(f"  {difference}")
    kinds = ", ".join(f"{kind} {kills[kind]}" for kind in options.kinds)
    attempts = _shown(lost) or "none"
    _say(
        f"{options.rounds} rounds; kills: {kinds}; attempts lost: {attempts}; "
        f"{differences} differences"
    )
    sys.exit(1 if differences else 0)


def _shown(counts: Counter[str]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
