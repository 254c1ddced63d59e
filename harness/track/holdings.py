"""Whether an MLflow database on this machine holds all of a finished execution.

MLflow takes seconds to import, and a look into its tables answers without it. A server, or tables
that are not as expected, count as unknown; the mirror then looks for itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from harness.track.views import ARMS, TAG, view_link
from harness.trial import State

_TAG = "(SELECT value FROM tags WHERE tags.run_uuid = r.run_uuid AND tags.key = '{}')"
_ACTIVE = """
    FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
    WHERE e.name = ? AND e.lifecycle_stage = 'active' AND r.lifecycle_stage = 'active'
"""
_PARENT = f"""
    SELECT r.artifact_uri {_ACTIVE} AND r.status = 'FINISHED'
    AND {_TAG.format("role")} = 'execution' AND {_TAG.format("execution_id")} = ?
    AND {_TAG.format("owner")} = ?
"""
_TRIALS = f"""
    SELECT {_TAG.format("trial_id")}, {_TAG.format("state")} {_ACTIVE} AND r.status <> 'RUNNING'
"""
_VIEWS = """
    SELECT e.name, e.experiment_id FROM experiments e
    JOIN experiment_tags t ON t.experiment_id = e.experiment_id
    WHERE e.lifecycle_stage = 'active' AND t.key = ? ORDER BY e.last_update_time DESC LIMIT ?
"""
_SETTLED = {State.COMPLETE.value, State.PRUNED.value, State.DIVERGED.value}


def holds_all(
    database: Path, study: str, execution: str, owner: str, trial_ids: Iterable[str]
) -> bool:
    """Tell whether a finished execution is there: its parent run with the report, and all trials.

    Args:
        database: MLflow's SQLite file.
        study: the name of the experiment.
        execution: the conductor's number for the execution.
        owner: what the parent run is tagged with for the results folder.
        trial_ids: of the trials, none of which failed.
    """
    if not database.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            parent = connection.execute(_PARENT, (study, execution, owner)).fetchone()
            if parent is None or not _has_report(parent[0]):
                return False
            found = connection.execute(_TRIALS, (study,))
            return {id_ for id_, state in found if state in _SETTLED} >= set(trial_ids)
    except sqlite3.Error:
        return False


def views_of_newest(database: Path | None, most: int = 5) -> list[tuple[str, str]]:
    """Return the newest studies, each with the link to its runs by arm, as far as can be told."""
    if database is None or not database.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute(_VIEWS, (TAG + ARMS, most)).fetchall()
    except sqlite3.Error:
        return []
    return [(name, view_link(str(number), ARMS)) for name, number in found]


def _has_report(artifacts: str) -> bool:
    parts = urlsplit(artifacts)
    if parts.scheme not in ("", "file"):
        return False
    return (Path(unquote(parts.path)) / "report" / "index.html").is_file()
