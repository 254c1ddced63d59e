"""Results of several folders in one: every trial has one record, and every execution is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.store.checksums import COVERED, checksum, columns, damage, insert, is_whole, of_trial
from harness.store.connection import Connection
from harness.store.opening import DATABASE, conductor_lock, open_store
from harness.store.records import StoreError
from harness.trial import Phase, Record, State, digest

MOST_NAMED = 5
"""Contradictions that an error names one by one."""
_EXECUTION = "study, profile, plan_hash, declaration, context, started, ended, status, wall_seconds"


@dataclass(frozen=True)
class Merged:
    """What was joined: numbers of records and executions, and the trials with two records."""

    records: int
    executions: int
    contradicting: Sequence[str] = ()


@dataclass
class _Trial:
    """Where the records of one trial are: the folder that is kept, and what it says."""

    folder: int
    state: State
    said: str
    ended: float
    earliest: float
    others: dict[int, str] = field(default_factory=dict)
    """Why the record of another folder is not kept, by its place; only where it says another."""


def merge(folders: Sequence[Path], into: Path, *, keep_first: bool = False) -> Merged:
    """Join the results of folders in a new one; they are not changed themselves.

    Args:
        folders: with results; each record of a trial is the same in all, or is in one.
        into: that has no results yet.
        keep_first: where records of one trial say different things, keep that of the folder named
            first, and note the other among the lost attempts; else it is an error.

    Raises:
        StoreError: if a folder cannot be used, something in it is damaged, or they contradict each
            other; nothing was written then.
    """
    twice = next((f for i, f in enumerate(folders) if f.resolve() in
                  [other.resolve() for other in folders[:i]]), None)  # fmt: skip
    if twice is not None:
        raise StoreError(f"the folder '{twice}' is named twice")
    if (into / DATABASE).exists():
        raise StoreError(f"there are results in '{into}' already; name a folder that has none")
    with ExitStack() as open_ones:
        sources = []
        for folder in folders:
            store = open_ones.enter_context(closing(open_store(folder, create=False)))
            open_ones.enter_context(conductor_lock(folder))
            store.check()
            sources.append(store.connection)
        trials, contradicting = _trials(sources)
        _same_candidates(sources, folders)
        if contradicting and not keep_first:
            raise StoreError(_says(contradicting, sources, folders, trials))
        target = open_ones.enter_context(closing(open_store(into)))
        with target.connection as connection:
            _copy_records(connection, sources, trials)
            count = _copy_executions(connection, sources, trials)
            _copy_rest(connection, sources)
            _note(connection, trials, folders)
    return Merged(len(trials), count, tuple(contradicting))


# --- what may contradict ------------------------------------------------------------------------
def _trials(sources: Sequence[Connection]) -> tuple[dict[str, _Trial], list[str]]:
    """Return which folder's record of each trial is kept, and the trials that have two."""
    trials: dict[str, _Trial] = {}
    contradicting: dict[str, None] = {}
    for place, source in enumerate(sources):
        for record, outcomes in _records(source):
            # of a timing block the times count: arms of one are compared on one machine
            timed = record.metrics if record.trial.phase is Phase.TIMING else None
            said = digest([record.deterministic_part(), timed, outcomes])
            mine = _Trial(place, record.state, said, record.ended, record.ended)
            known = trials.setdefault(record.trial_id, mine)
            if known is mine:
                continue
            known.earliest = min(known.earliest, record.ended)
            if State.FAILED in (known.state, record.state):
                if known.state is State.FAILED and record.state is not State.FAILED:
                    mine.earliest, mine.others = known.earliest, known.others
                    mine.others[known.folder] = "it failed there"
                    trials[record.trial_id] = mine
                elif known.state is not record.state:
                    known.others[place] = "it failed there"
            elif known.said != said:
                contradicting[record.trial_id] = None
                known.others[place] = "it came out otherwise there"
            elif record.ended < known.ended:
                known.folder, known.ended = place, record.ended
    return trials, list(contradicting)


def _records(source: Connection) -> Iterator[tuple[Record, int]]:
    """Yield every record with a checksum of its outcomes, 0 where there are none."""
    rows = source.execute(
        f"SELECT {columns('records', 'r')}, coalesce(o.checksum, 0) FROM records r"
        " LEFT JOIN outcomes o ON o.trial_id = r.trial_id"
    )
    for *row, outcomes in rows:
        if not is_whole(tuple(row)):
            raise damage(source, f"the record of {of_trial(source, row[0])}")
        yield Record.from_dict(json.loads(row[3])), outcomes


def _same_candidates(sources: Sequence[Connection], folders: Sequence[Path]) -> None:
    """Refuse searches that went different ways."""
    known: dict[tuple[str, int], tuple[str, int]] = {}
    for place, source in enumerate(sources):
        for row in source.execute(f"SELECT {columns('candidates')} FROM candidates"):
            if not is_whole(row):
                raise damage(source, "a candidate of a search")
            first, where = known.setdefault((row[0], row[1]), (row[2], place))
            if json.loads(first) != json.loads(row[2]):
                raise StoreError(
                    f"candidate {row[1] + 1} of a search is {first} in '{folders[where]}' and"
                    f" {row[2]} in '{folders[place]}': another version asked it; run the study in"
                    " one of them"
                )


def _says(
    contradicting: Sequence[str],
    sources: Sequence[Connection],
    folders: Sequence[Path],
    trials: Mapping[str, _Trial],
) -> str:
    named = [
        f"{of_trial(sources[trials[id_].folder], id_)} differs in '{folders[trials[id_].folder]}'"
        f" and '{folders[next(iter(trials[id_].others))]}'"
        for id_ in contradicting[:MOST_NAMED]
    ]
    more = len(contradicting) - len(named)
    return (
        f"{len(contradicting)} trials have two records that say different things: "
        + "; ".join(named)
        + (f"; and {more} more" if more else "")
        + ". Machines may differ in the last digits; decide without looking at the verdicts:"
        " --keep-first keeps the records of the folder named first, and the report names the others"
    )


# --- copies -----------------------------------------------------------------------------------
def _copy_records(
    target: Connection, sources: Sequence[Connection], trials: Mapping[str, _Trial]
) -> None:
    for place, source in enumerate(sources):
        kept = [id_ for id_, trial in trials.items() if trial.folder == place]
        for table, more in (("records", ", seconds"), ("weights", ""), ("outcomes", "")):
            names = ", ".join(COVERED[table])
            width = len(COVERED[table]) + 1 + bool(more)
            marks = ", ".join("?" * width)
            for id_ in kept:
                row = source.execute(
                    f"SELECT {names}, checksum{more} FROM {table} WHERE trial_id = ?", (id_,)
                ).fetchone()
                if row is None:
                    continue
                if not is_whole(row[: len(COVERED[table]) + 1]):
                    raise damage(source, f"what belongs to {of_trial(source, id_)}")
                target.execute(
                    f"INSERT INTO {table} ({names}, checksum{more}) VALUES ({marks})", row
                )
        rows = source.execute("SELECT search_id, position, parameters FROM candidates").fetchall()
        insert(target, "candidates", rows)


def _copy_executions(
    target: Connection, sources: Sequence[Connection], trials: Mapping[str, _Trial]
) -> int:
    """Copy executions in the order in which they began; one that is in two folders, once.

    A trial that another folder had by then was there to be looked at: it counts as reused, so that
    the ledger finds claims that are younger than it.
    """
    found: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for source in sources:
        for row in source.execute(f"SELECT id, {columns('executions')} FROM executions"):
            if not is_whole(row[1:]):
                raise damage(source, f"what was declared in run {row[0]}")
        for id_, *rest in source.execute(f"SELECT id, {_EXECUTION} FROM executions"):
            study, profile, plan_hash, declaration, _, started, *_ = rest
            key = (started, study, profile, plan_hash, declaration)
            found.setdefault(key, []).append((source, id_, *rest))
    for number, key in enumerate(sorted(found), start=1):
        copies = sorted(found[key], key=lambda row: (row[8] is not None, row[8] or 0.0))
        study, profile, plan_hash, declaration, context, *rest = copies[-1][2:]
        declared = (number, study, profile, plan_hash, declaration, context)
        target.execute(
            f"INSERT INTO executions (id, {_EXECUTION}, checksum)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*declared, *rest, checksum(*declared)),
        )
        for source, id_, *_ in reversed(copies):
            insert(target, "assignments", _assignments(source, id_, number, key[0], trials))
            for (identity,) in source.execute(
                "SELECT identity FROM identities WHERE execution = ?", (id_,)
            ).fetchall():
                target.execute("INSERT OR IGNORE INTO identities VALUES (?, ?)", (number, identity))
    return len(found)


def _assignments(
    source: Connection, id_: int, number: int, started: float, trials: Mapping[str, _Trial]
) -> Iterator[tuple[Any, ...]]:
    rows = source.execute(
        f"SELECT {columns('assignments')} FROM assignments WHERE execution = ? ORDER BY rowid",
        (id_,),
    )
    for row in rows:
        if not is_whole(row):
            raise damage(source, f"what a trial was for in run {id_}")
        _, trial_id, arm, phase, candidate, parameters, seed, reused, _ = row
        known = trials.get(trial_id)
        seen = phase == Phase.CONFIRMATION.value and known is not None and known.earliest < started
        yield number, trial_id, arm, phase, candidate, parameters, seed, int(reused or seen)


def _copy_rest(target: Connection, sources: Sequence[Connection]) -> None:
    """Copy when claims were judged first, lost attempts, and what was set aside."""
    for source in sources:
        for row in source.execute("SELECT study, profile, claim, declaration, at FROM judged"):
            target.execute(
                "INSERT INTO judged VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET at = min(at, excluded.at)",
                row,
            )
        for table in ("attempts", "damaged"):
            for row in source.execute(f"SELECT * FROM {table}").fetchall():
                marks = ", ".join("?" * len(row))
                same = target.execute(f"SELECT * FROM {table} WHERE trial_id = ?", (row[0],))
                if row not in same.fetchall():
                    target.execute(f"INSERT INTO {table} VALUES ({marks})", row)


def _note(target: Connection, trials: Mapping[str, _Trial], folders: Sequence[Path]) -> None:
    """Note among the lost attempts the records that are not kept."""
    for id_, trial in trials.items():
        for place, why in trial.others.items():
            cause = f"its record in the folder '{folders[place].name}' was not kept: {why}"
            target.execute("INSERT INTO attempts VALUES (?, 1, ?, ?)", (id_, cause, trial.ended))
