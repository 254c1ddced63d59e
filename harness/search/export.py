"""A finished search as a study in a storage of Optuna, for its dashboard and its own analyses."""

from __future__ import annotations

from harness.plan import SearchSpace
from harness.samplers.base import History


def export_search(space: SearchSpace, history: History, storage: str, name: str) -> bool:
    """Write the candidates of one arm's search, in the order in which they were asked.

    Args:
        space: what was searched.
        history: its candidates.
        storage: the address of an Optuna storage, such as `sqlite:///optuna.db`.
        name: of the study in it.

    Returns:
        Whether it was written; a study of this name that is there is left as it is.

    Raises:
        ValueError: if the storage cannot be used.
    """
    import optuna

    from harness.samplers._optuna import distribution, finished_trial

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if space.metric.goal is None:
        raise ValueError(f"nothing says whether a low or a high {space.metric.name} is better")
    direction = space.metric.goal
    try:
        study = optuna.create_study(storage=storage, study_name=name, direction=direction)
    except optuna.exceptions.DuplicatedStudyError:
        return False
    except Exception as error:  # the database's and its driver's own kinds: all mean the same
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"the storage cannot be used ({reason})") from error
    study.set_user_attr("metric", space.metric.name)
    study.set_user_attr("sampler", space.sampler)
    distributions = {path: distribution(dim) for path, dim in space.dimensions.items()}
    study.add_trials([finished_trial(tried, distributions) for tried in history])
    return True
