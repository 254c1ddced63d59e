"""What the Python interface answers with: a plan, and what came of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.notebook import plan_page, plan_text, result_page, result_text
from harness.judged import Verdict
from harness.run.outcome import RunResult
from harness.trial import Phase

if TYPE_CHECKING:
    import pandas as pd

    from harness.evidence import Evidence
    from harness.figures import Picture
    from harness.plan import Plan
    from harness.report import ProfileResult
    from harness.report.answers import Answer
    from harness.run.prepare import Outlook

CLAIM_COLUMNS = (
    "id", "says", "verdict", "effect", "ci_low", "ci_high", "p_value", "p_corrected", "seeds",
    "seeds_needed", "reason", "study", "profile", "refutation",
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class Planned:
    """What a run will do.

    Attributes:
        plan: the arms and all trials (see `harness.plan.Plan`).
        outlook: trials by phase, planned and done.
    """

    plan: Plan
    outlook: Outlook

    @property
    def arms(self) -> list[str]:
        """The names of the arms, the simple baseline last."""
        return [arm.name for arm in self.plan.all_arms]

    @property
    def to_run(self) -> int:
        """The number of trials that have no record yet."""
        return self.outlook.to_run

    @property
    def seconds(self) -> float | None:
        """The time of these trials on one worker, in seconds; None before any was measured."""
        return self.outlook.seconds

    def __repr__(self) -> str:
        return plan_text(self)

    def _repr_html_(self) -> str:
        return plan_page(self)


@dataclass(frozen=True, repr=False)
class Result(RunResult):
    """What came of one profile of a study, as `harness.run.outcome.RunResult` says.

    Attributes:
        results: the folder of the records.
        models: of a run that was asked for them, for each arm its `model` in MLflow (what
            `mlflow.pyfunc.load_model` takes; empty if there is none), `registered`, and a `note`.
    """

    results: Path = Path("results")
    models: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def of_run(
        cls, done: RunResult, results: Path, models: Sequence[Mapping[str, Any]] = ()
    ) -> Result:
        """Show what came of a run, and of the networks that it was asked to log."""
        return cls(**vars(done), results=results, models=models)

    @classmethod
    def of_profile(cls, judged: ProfileResult, results: Path) -> Result:
        """Show a profile that was judged from its records."""
        made = cls.of_run(RunResult.of(judged), results)
        made.__dict__["_evidence"] = judged.evidence  # it is at hand and need not be read again
        return made

    @cached_property
    def _evidence(self) -> Evidence:
        from harness.evidence import gather
        from harness.run.results import open_results

        entries = open_results(self.results).entries({self.study})
        entry = next(e for e in entries if e.execution.profile == self.profile)
        return gather(entry.source, entry.execution)

    @property
    def trials(self) -> pd.DataFrame:
        """One row per trial of every phase; the columns are those of `harness.evidence.Evidence`.

        `arm`, `phase`, `candidate`, `seed`, `state`, `level.<factor>`, `parameter.<path>`, the
        metrics (`test.accuracy`) and what the trial cost (`cost.seconds`). Levels that are numbers
        are numbers, also where some arms have none; so are candidates.
        """
        return self._typed(self._evidence.trials)

    @property
    def evidence(self) -> pd.DataFrame:
        """The rows of `trials` that verdicts rest on: the confirmation trials."""
        return self._typed(self._evidence.confirmation)

    @property
    def curves(self) -> pd.DataFrame:
        """One row per confirmation trial and epoch: arm, phase, levels, seed, epoch, metrics."""
        curves = self._evidence.curves.copy()
        curves.insert(1, "phase", Phase.CONFIRMATION.value)
        plan = self._evidence.plan
        levels = {arm.name: arm.levels for arm in plan.all_arms}
        for place, factor in enumerate(plan.study.factors):
            values = [levels[arm].get(factor) for arm in curves["arm"]]
            curves.insert(2 + place, f"level.{factor}", values)
        return self._typed(curves)

    def _typed(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Give whole numbers and truth values their type, also where some rows have none."""
        plan = self._evidence.plan
        kinds = {
            f"level.{name}": _kind_of([arm.levels.get(name) for arm in plan.arms])
            for name in plan.study.factors
        }
        kinds["candidate"] = "int64"
        wanted = {
            name: _WITH_GAPS.get(kind, kind) if frame[name].isna().any() else kind
            for name, kind in kinds.items()
            if kind and name in frame
        }
        return frame.astype(wanted)

    @cached_property
    def figures(self) -> Mapping[str, Picture]:
        """The figures of the report by name; `panels` of each are figures of matplotlib.

        They can be restyled and saved: `result.figures["effects"].panels[0].axes[0]`. A notebook
        shows a picture as it is.
        """
        from harness.figures import FIGURES, draw

        evidence, verdicts = self._evidence, self.verdicts
        drawn = (one for name in FIGURES.names() for one in draw(name, evidence, verdicts))
        return {picture.name: picture for picture in drawn}

    @property
    def answers(self) -> Sequence[Answer]:
        """The answer to every claim: `sentence` with its number in words, `certainty`, `row`."""
        from harness.report.answers import answers

        return answers(self._evidence, self.verdicts)

    @property
    def leaderboard(self) -> pd.DataFrame:
        """One row per method of a benchmark, by its first metric: places, mean rank, wins.

        Raises:
            ValueError: if the study is no benchmark, or not all of its trials have been run.
        """
        import pandas as pd

        if not self.leaderboards:
            raise ValueError(f"{self.study} ({self.profile}) has no leaderboard")
        return pd.json_normalize(list(self.leaderboards[0]["standings"])).set_index("method")

    @property
    def claims(self) -> pd.DataFrame:
        """One row per claim: its verdict, effect with interval, corrected p-value and seeds."""
        import pandas as pd

        rows = [{name: v.to_dict()[name] for name in CLAIM_COLUMNS} for v in self.verdicts]
        return pd.DataFrame(rows, columns=list(CLAIM_COLUMNS))

    def __getitem__(self, claim: str) -> Verdict:
        """Return the verdict of one claim by its id.

        Raises:
            KeyError: naming the claims that there are.
        """
        found = {verdict.id: verdict for verdict in self.verdicts}
        if claim not in found:
            raise KeyError(f"{claim} (the claims are: {', '.join(found)})")
        return found[claim]

    def to_dict(self) -> dict[str, Any]:
        """Return the result as `harness run --json` prints it."""
        return {
            "study": self.study,
            "profile": self.profile,
            "trials": dict(self.counts),
            "wall_seconds": round(self.wall_seconds, 3),
            "cost": self.costs.to_dict(),
            "claims": self.claims_as_dicts(),
            "leaderboards": [dict(board) for board in self.leaderboards],
            "models": [dict(model) for model in self.models],
            "report": str(self.report / "index.html") if self.report else None,
            "left_out": list(self.left_out),
            "stopped": self.stopped,
        }

    def claims_as_dicts(self) -> list[dict[str, Any]]:
        """Return the verdicts as `harness claims --json` prints them.

        The fields that other tools rely on come first; `integrity` holds what was noted against
        the evidence as a whole.
        """
        whole = {
            "plan_hash": self.plan_hash,
            "published": self.published,
            "integrity": dict(self.integrity),
        }
        documents = []
        for verdict in self.verdicts:
            fields = verdict.to_dict()
            documents.append({name: fields.pop(name) for name in _FIRST} | fields | whole)
        return documents

    def __repr__(self) -> str:
        return result_text(self)

    def _repr_html_(self) -> str:
        return result_page(self)


_FIRST = (
    "id", "study", "profile", "source", "verdict", "effect", "ci_low", "ci_high", "p_value",
    "p_corrected", "seeds", "trials",
)  # fmt: skip
_WITH_GAPS = {"int64": "Int64", "bool": "boolean"}
"""The types of pandas that know of absent values, by those that do not."""


def _kind_of(levels: Sequence[Any]) -> str:
    """Return the type of a column of levels, without a gap; empty if it has none in common."""
    kinds = {type(level) for level in levels if level is not None}
    if kinds <= {int, float} and kinds:
        return "int64" if kinds == {int} else "float64"
    return "bool" if kinds == {bool} else ""
