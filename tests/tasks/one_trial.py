"""One trial of a workload as a study file would say it, and the record of its training."""

import json

from harness.registry import PROBES
from harness.study.workload import Workload
from harness.train import Setting, train_in
from harness.trial import Phase, Record, State, Trial
from harness.workloads import load


def trial_of(workload, phase=Phase.CONFIRMATION, seed=0, probes=(), **changes):
    """Make a trial; a probe is its name, or its settings."""
    settings = Workload.model_validate_json(json.dumps({**workload, **changes}), strict=True)
    kept = tuple(
        PROBES.read(probe).for_trial(None) if isinstance(probe, str) else probe for probe in probes
    )
    return Trial(settings.model_dump(mode="json"), seed, phase, "f", "c", kept)


def train(trial, tmp_path, given=None, state=State.COMPLETE, **options):
    """Train it, and return its record, which has to end in a state."""
    data = load(trial.workload["data"], tmp_path).for_phase(trial.phase)
    events = list(train_in(Setting(given=given or {}, **options), [trial], data))
    (record,) = [event for event in events if isinstance(event, Record)]
    assert record.state is state, record.reason
    return record
