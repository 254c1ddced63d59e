"""The trials of a study in a storage of Optuna, as other code left them there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import nearest


@dataclass(frozen=True)
class StoredTrial:
    """A trial: its settings with what was noted of it, its objective and what else is a number.

    Metrics are called `value` (of several objectives `value_0`, ...) and like user attributes.
    """

    number: int
    complete: bool
    settings: Mapping[str, Any]
    metrics: Mapping[str, float]
    intermediate: Mapping[int, float]
    started: float
    ended: float


@dataclass(frozen=True)
class StoredStudy:
    """A study and its trials, in their order."""

    study: str
    trials: Sequence[StoredTrial]


def read_storage(address: str, study: str | None) -> StoredStudy:
    """Read a study; nothing is written.

    Args:
        address: of the storage, such as `sqlite:///optuna.db`.
        study: its name; None for the only one.

    Raises:
        ValueError: if there is no such study, or the storage cannot be read.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        known = optuna.get_all_study_names(address)
    except Exception as error:  # the database's and its driver's own kinds: all mean the same
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"the storage cannot be read ({reason})") from None
    if study is None and len(known) == 1:
        (study,) = known
    if study not in known:
        names = ", ".join(known) or "none"
        asked = f"no study '{study}'" if study else "several studies; say `experiment`"
        raise ValueError(f"the storage has {asked} (it has: {names}){nearest(study or '', known)}")
    found = optuna.load_study(study_name=study, storage=address).get_trials(deepcopy=False)
    return StoredStudy(str(study), [_trial(trial) for trial in found])


def _trial(trial: Any) -> StoredTrial:
    numbers = {n: float(v) for n, v in trial.user_attrs.items() if type(v) in (int, float)}
    values = trial.values or []
    names = ["value"] if len(values) == 1 else [f"value_{i}" for i in range(len(values))]
    return StoredTrial(
        trial.number,
        trial.state.name == "COMPLETE",
        {**trial.user_attrs, **trial.params},
        {**numbers, **dict(zip(names, map(float, values), strict=True))},
        dict(trial.intermediate_values),
        trial.datetime_start.timestamp() if trial.datetime_start else 0.0,
        trial.datetime_complete.timestamp() if trial.datetime_complete else 0.0,
    )
