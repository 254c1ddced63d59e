"""Covariance matrix adaptation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from harness.samplers.base import History, OptunaSampler, Space, Tried, wanted

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial

    from harness.plan import SearchSpace


class CMAES(OptunaSampler):
    """A normal distribution that moves to better candidates: CMA-ES (Hansen 2016); numbers only."""

    name: Literal["cmaes"]

    def refusals(self, space: Space) -> Iterator[tuple[tuple[str, ...], str]]:
        """It has no notion of choices, nor of settings that are not asked each time."""
        for path, dimension in space.items():
            if "choice" in dimension:
                yield (path,), "cmaes searches numbers only; a choice needs tpe or random"
            elif "when" in dimension:
                yield (
                    (path, "when"),
                    "cmaes asks every setting each time; a condition on a searched choice needs"
                    " tpe or random",
                )

    def sampler(self, space: SearchSpace, seed: int) -> BaseSampler:
        """See `OptunaSampler`."""
        from optuna.samplers import CmaEsSampler

        return CmaEsSampler(seed=seed, consider_pruned_trials=True)

    def study(self, space: SearchSpace, history: History) -> Study:
        """Return a study that went through the history round by round.

        The state of CMA-ES (mean, covariance, generation) lives in the trials of the study that
        asked them, so that the candidates are asked again, in the same rounds, and told what they
        were worth.
        """
        from harness.samplers import _optuna

        sampler = self.sampler(space, space.seed)
        study = _optuna.new_study(space, sampler)
        if space.default is not None and history:
            study.enqueue_trial(dict(space.default))
        start = 0
        while start < len(history):
            part = history[start : start + wanted(space, history[:start])]
            asked = [study.ask() for _ in part]
            suggested = [_optuna.suggest(trial, space) for trial in asked]
            values = [tried.value for tried in history[:start] if tried.value is not None]
            for tried, trial, parameters in zip(part, asked, suggested, strict=True):
                if parameters == tried.parameters:
                    _tell(study, trial, tried, values)
                else:
                    _replace(study, trial, tried, space)
            start += len(part)
        return study


def _tell(study: Study, trial: Trial, tried: Tried, values: Sequence[float]) -> None:
    """Tell CMA-ES the outcome of a candidate.

    CMA-ES ranks candidates and has no notion of one without a value: one that diverged counts as
    the worst of the rounds before, one that was pruned with its last value.
    """
    from optuna.study import StudyDirection
    from optuna.trial import TrialState

    from harness.samplers import _optuna

    partial = _optuna.partial(tried)
    for epoch, value in partial.items():
        trial.report(value, epoch)
    if tried.value is not None:
        study.tell(trial, tried.value)
    elif partial:
        study.tell(trial, state=TrialState.PRUNED)
    elif values:
        minimizes = study.direction == StudyDirection.MINIMIZE
        study.tell(trial, max(values) if minimizes else min(values))
    else:
        study.tell(trial, state=TrialState.FAIL)


def _replace(study: Study, trial: Trial, tried: Tried, space: SearchSpace) -> None:
    """Put a candidate that another version of Optuna asked in the place of this version's own."""
    from optuna.trial import TrialState

    from harness.samplers import _optuna

    attributes = study.get_trials(deepcopy=False)[trial.number].system_attrs
    study.tell(trial, state=TrialState.FAIL)
    distributions = {path: _optuna.distribution(d) for path, d in space.dimensions.items()}
    finished = _optuna.finished_trial(tried, distributions)
    finished.system_attrs = dict(attributes)
    study.add_trial(finished)
