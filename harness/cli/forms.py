"""The forms of the documents that commands print with `--json`: their schemas come from here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

_STRICT = ConfigDict(extra="forbid")
Number = float | None
Counts = dict[str, int]


class Form(TypedDict):
    """What every mapping of a document has in common: no other keys."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]


class Arm(Form):
    """An arm of a plan."""

    arm: str
    levels: dict[str, Any]
    baseline: bool
    search: Search | None


class Search(Form):
    """The search of an arm."""

    space: dict[str, dict[str, Any]]
    sampler: str
    metric: str
    candidates: int | None
    epochs: int | None
    pruning: dict[str, Any] | None


class Trials(Form):
    """Trials of a plan, all of them and those that have a record."""

    total: int
    done: int
    to_run: int
    by_phase: dict[str, Counts]


class Asked(Form):
    """What has to hold so that a part of a claim is supported."""

    claim: str
    parts: int
    measures: str
    expected: str
    unit: str
    goal: Annotated[str, Field(description="higher or lower, which is better; empty: neither")]
    first: Annotated[str, Field(description="what the first of two arms then is: better, worse")]


class Power(Form):
    """What the seeds of a study can show, in standard deviations between seeds."""

    seeds: int
    searches: int
    claims: int
    detectable: Number
    looks: list[dict[str, Any]]
    blocks: Annotated[dict[str, Any] | None, Field(description="the same of timing blocks")]
    datasets: Annotated[list[dict[str, Any]], Field(description="the same of data sets")]
    benchmark: Annotated[dict[str, Any] | None, Field(description="what can be settled at all")]
    by_claim: list[dict[str, str]]


class Pilot(Form):
    """What a pilot found: the deviation of a metric by source of randomness."""

    arm: str
    current: bool
    metric: str | None
    searches: int
    not_complete: int
    sources: dict[str, dict[str, Number]]
    lines: list[str]


class Plan(Form):
    """What a run would do."""

    study: str
    profile: str
    plan_hash: str
    arms: list[Arm]
    trials: Trials
    pretraining: list[str]
    same_arms: list[list[str]]
    warnings: list[str]
    claims: list[Asked]
    power: Power
    timing: Annotated[dict[str, Any] | None, Field(description="how seconds are measured")]
    pilot: Pilot | None
    seconds_on_one_worker: Annotated[
        Number, Field(description="null before any trial has been measured")
    ]
    cost: dict[str, float]
    bill: Annotated[dict[str, Any] | None, Field(description="what the rest costs in money")]
    data_present: bool
    reading: Annotated[list[str], Field(description="how data files are read and divided")]
    resources: dict[str, Any]
    faults: dict[str, Any]
    checkpoints: dict[str, Any] | None


class Scope(Form):
    """At which scale a claim was tested: lowest and highest of its arms, null if not known."""

    words: str
    parameters: list[int] | None
    examples: list[int] | None
    examples_known: bool
    updates: list[int] | None
    candidates: list[int] | None
    search_epochs: list[int] | None
    counted: str
    repeats: int
    devices: list[str]


class Judgement(Form):
    """The numbers behind a claim, or a part of one."""

    verdict: Literal["supported", "refuted", "inconclusive", "incomplete"]
    refutation: Annotated[str, Field(description="how it is refuted; empty if it is not")]
    measures: str
    expected: str
    effect: Number
    ci_low: Number
    ci_high: Number
    p_value: Number
    p_corrected: Number
    level: Annotated[Number, Field(description="confidence of the interval")]
    interval_over: str
    over_seeds: list[Number] | None
    over_seeds_and_examples: list[Number] | None


class Part(Judgement):
    """A part of a claim of several."""

    missing: Annotated[str, Field(description="why there are no numbers")]


class Claim(Judgement):
    """A claim and its verdict."""

    id: str
    study: str
    profile: str
    says: str
    source: list[str]
    seeds: int
    trials: Annotated[list[str], Field(description="ids of the trials that it rests on")]
    reason: str
    p_sign_flip: Number
    seeds_needed: int | None
    searches: int
    scope: Scope
    changed_after_evidence: bool
    exploratory: Annotated[str, Field(description="how it is younger than its evidence; or empty")]
    parts: list[Part]
    plan_hash: str
    published: bool
    integrity: dict[str, list[str]]


class Costs(Form):
    """Seconds of workers, and what sensors told; what is not known is absent."""

    forecast: dict[str, float]
    spent: dict[str, float]
    by_arm: dict[str, dict[str, float]]


class Network(Form):
    """The network of an arm in MLflow."""

    arm: str
    model: str
    registered: str
    note: str


class Run(Form):
    """What came of a run of one profile."""

    study: str
    profile: str
    trials: Counts
    wall_seconds: float
    cost: Costs
    claims: list[Claim]
    leaderboards: Annotated[list[Benchmark], Field(description="of a benchmark, by metric")]
    models: list[Network]
    report: str | None
    stopped: Annotated[str, Field(description="the limit that ended the run early; or empty")]
    left_out: list[str]


class Record(Form):
    """What a trial was, and what came of it."""

    trial: dict[str, Any]
    state: Literal["complete", "pruned", "diverged", "failed"]
    reason: str
    metrics: dict[str, float]
    curve: list[dict[str, float]]
    details: dict[str, list[Any]]
    cost: dict[str, float]
    selected_epoch: int | None
    environment: dict[str, Any]
    attempt: int
    started: float
    ended: float


class Replayed(Form):
    """What came of training a trial again."""

    trial_id: str
    identical: bool
    code_changed: bool


class Found(Form):
    """One thing that was compared."""

    study: str
    says: str
    differs: bool


class Verified(Form):
    """What was compared, and how many things differ."""

    differs: int
    found: list[Found]


class Compared(Form):
    """Two sets of results: what only one has, and of each profile of both what differs."""

    first: str
    second: str
    only_first: list[str]
    only_second: list[str]
    profiles: list[dict[str, Any]]


class Benchmark(Form):
    """A leaderboard of methods over data sets: what is settled, and what nobody can know."""

    metric: str
    goal: Literal["minimize", "maximize"]
    alpha: float
    datasets: list[str]
    seeds: Annotated[list[int], Field(description="of each data set")]
    headline: str
    standings: Annotated[list[dict[str, Any]], Field(description="by mean rank")]
    friedman: dict[str, Number]
    critical_difference: float
    groups: Annotated[list[list[str]], Field(description="not told apart by it")]
    pairs: Annotated[list[dict[str, Any]], Field(description="differences: larger is better")]
    means: Annotated[
        dict[str, dict[str, float]], Field(description="mean scores by data set and method")
    ]
    best: Annotated[dict[str, dict[str, str]], Field(description="marks by data set and method")]
    notes: list[str]
    unknown: list[str]
    trained: Annotated[
        dict[str, Any] | None, Field(description="simple baselines, seconds and sizes of data")
    ]


class Joined(Form):
    """What was merged."""

    into: str
    records: int
    executions: int
    contradicting: Annotated[list[str], Field(description="trials that had two different records")]


def forms() -> dict[str, TypeAdapter[Any]]:
    """Return the form of each command's document, by the command."""
    found: dict[str, Any] = {
        "plan": Plan, "pilot": Pilot, "run": Run | list[Run], "claims": list[Claim],
        "report": Compared, "trial": Record | Replayed, "verify": Verified,
        "models": list[Network], "import-mlflow": Run, "import": Run, "merge": Joined,
        "benchmark": Benchmark,
    }  # fmt: skip
    return {name: TypeAdapter(form) for name, form in found.items()}
