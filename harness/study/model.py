"""The study file as a whole."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from harness.components import Component
from harness.components.base import unsaid
from harness.errors import nearest
from harness.levels import two_alike
from harness.models import is_simple, simple_models
from harness.registry import DESIGNS, PROBES, setting
from harness.study.claims import Claim
from harness.study.prices import Prices
from harness.study.running import Checkpoints, Faults, Resources, Seeds, SequentialSeeds
from harness.study.search import Scalar, Search
from harness.study.timing import Timed
from harness.study.workload import Workload
from harness.tasks import Supervised

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}$")]


def _known_baseline(name: str) -> str:
    if name not in ("auto", "none") and not is_simple({"name": name}):
        known = ["auto", *simple_models(), "none"]
        raise ValueError(f"'{name}' is not one of {', '.join(known)}{nearest(name, known)}")
    return name


class _Baselines:
    """Lets editors know the names of simple models."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"enum": ["auto", *simple_models(), "none"], "type": "string"}


SimpleBaseline = Annotated[str, AfterValidator(_known_baseline), _Baselines()]


class Factor(Component):
    """A controlled variable: a dotted path in the workload and the values it takes.

    Levels that set several things at once are a mapping from a label to `{path: value}`.
    """

    path: str | None = Field(None, description="such as model.activation or optimizer.lr")
    levels: Annotated[list[Scalar], Field(min_length=1)] | dict[Label, dict[str, Any]]

    @field_validator("levels", mode="before")
    @classmethod
    def _plain(cls, levels: Any) -> Any:
        """Say how a level that is a list or a mapping is written."""
        for level in levels if isinstance(levels, list) else ():
            if isinstance(level, list | dict):
                raise ValueError(
                    "a level in a list is a word, a number, true or false; write one that is a list"
                    " or a mapping under a label, without `path`:"
                    " levels: {small: {model.settings.widths: [8, 8]}, ...}"
                )
        return levels

    @field_validator("levels")
    @classmethod
    def _distinct(cls, levels: Any) -> Any:
        alike = two_alike(levels) if isinstance(levels, list) else None
        if alike is not None:
            raise ValueError(f"the same level stands here twice{alike}")
        return levels


class Study(Component):
    """One declared question: factors, arms, budget and claims."""

    study: Name = Field(description="the name of the study, and of its report's folder")
    question: str = Field(min_length=1)
    workload: Workload
    simple_baseline: SimpleBaseline = Field(
        "auto",
        description="a simple model beside the arms on the leaderboard; auto: the usual one for "
        "the data",
    )
    factors: dict[Label, Factor] = Field(default_factory=dict)
    design: setting(DESIGNS, alone=True) = Field(  # type: ignore[valid-type]
        default_factory=lambda: DESIGNS.read("factorial"),
        description="how factors become arms; `harness list designs`",
        json_schema_extra={"default": "factorial"},
    )
    arms: dict[Label, dict[str, Any]] = Field(
        default_factory=dict, description="named arms beside the design: {path: value}"
    )
    search: Search | None = Field(None, description="leave out for fixed hyperparameters")
    pretraining: dict[Name, dict[str, Any]] = Field(
        default_factory=dict,
        description="another word for `stages`",
    )
    stages: dict[Name, dict[str, Any]] = Field(
        default_factory=dict,
        description="trials that are run once, and whose products (weights, samples, ...) arms use"
        " by `uses: {ROLE: NAME}` or `transfer: {from: NAME}`: {path: value} over the workload",
    )
    seeds: Seeds = Field(
        8, description="confirmation seeds of every arm, or instalments: {start, step, max}"
    )
    first_seed: int = Field(
        0,
        ge=0,
        lt=1_000_000,
        multiple_of=10_000,
        exclude_if=unsaid,
        description="where confirmation seeds begin: a multiple of 10,000, so that seeds that were"
        " looked at while claims were written are not their evidence",
    )
    probes: list[setting(PROBES)] = Field(default_factory=list)  # type: ignore[valid-type]
    timing: Timed = Field(
        None,
        description="how long the arms' work takes, in blocks of their own; `true` for a training"
        " step of all arms in 8 blocks; claims on seconds rest on it",
    )
    claims: list[Claim] = Field(default_factory=list)
    alpha: float = Field(0.05, gt=0, lt=0.5, description="error rate of all claims together")
    generalize: Literal["seeds_and_examples", "seeds"] = Field(
        "seeds_and_examples",
        description="what the intervals that decide allow for: other seeds and other test examples"
        " (where it is recorded what each example came out as), or other seeds alone",
    )
    resources: Resources = Field(default_factory=Resources)
    faults: Faults = Field(default_factory=Faults)
    checkpoints: Checkpoints | None = Field(
        None, description="leave out where trials are short: a new attempt starts anew"
    )
    prices: Prices | None = Field(
        None, description="of a device hour and of its energy; without them, the user's own"
    )
    profiles: dict[Name, dict[str, Any]] = Field(
        default_factory=dict, description="named variants: {dotted path: value}"
    )

    @model_validator(mode="after")
    def _stages_are_declared_once(self) -> Self:
        both = sorted(set(self.stages) & set(self.pretraining))
        if both:
            raise ValueError(
                f"the stage '{both[0]}' stands under `stages` and under `pretraining`, which mean "
                "the same"
            )
        return self

    @property
    def all_stages(self) -> dict[str, dict[str, Any]]:
        """What every stage sets, by its name, under whichever word it is declared."""
        return {**self.pretraining, **self.stages}

    def block_of(self, stage: str) -> str:
        """Return the word under which a stage is declared."""
        return "pretraining" if stage in self.pretraining else "stages"

    @property
    def looks(self) -> tuple[int, ...]:
        """Numbers of seeds at which claims are judged: one, or several in a sequential study."""
        return self.seeds.looks if isinstance(self.seeds, SequentialSeeds) else (self.seeds,)

    @property
    def first_seeds(self) -> int:
        """Seeds that every arm is confirmed on, whatever they show."""
        return self.looks[0]

    @property
    def most_seeds(self) -> int:
        """Seeds that an arm is confirmed on at most."""
        return self.looks[-1]

    @property
    def simple_model(self) -> str | None:
        """The name of the simple model beside the arms, or None."""
        return self.simple_model_of(self.workload)

    def simple_model_of(self, workload: Workload) -> str | None:
        """Return the name of the simple model beside arms that share a workload, or None."""
        if self.simple_baseline != "auto":
            return None if self.simple_baseline == "none" else self.simple_baseline
        if not isinstance(workload.learns, Supervised):
            return None
        suited = [
            (model.usual, name)
            for name, model in simple_models().items()
            if not model.reconstructs and model(name=name).refusal(workload.data) is None
        ]
        return max(suited)[1] if suited else None

    @property
    def datasets(self) -> str | None:
        """The factor whose levels are the data sets of a benchmark; None in any other design."""
        found: str | None = getattr(self.design, "datasets", None)
        return found
