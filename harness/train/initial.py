"""The network that a trial begins with."""

from __future__ import annotations

from torch import nn

from harness.data_spec import Form
from harness.layers import layer_groups, seed_dropout
from harness.seeding import stream
from harness.tasks import Task
from harness.train.data_parallel import Ranks, data_parallel_refusal
from harness.train.single_program import build_template
from harness.train.stage_products import StagesByRole
from harness.train.transfer import freeze, frozen_groups, initial_weights, load_weights
from harness.trial import Trial
from harness.workloads.settings import read_settings


def initial_network(
    task: Task, trial: Trial, form: Form, given: StagesByRole, ranks: Ranks | None
) -> nn.Module:
    """Return a trial's network with its initial weights, the frozen ones marked as such.

    Raises:
        ValueError: if transferred weights are missing or fit no layer, or nothing would train.
    """
    settings = read_settings(trial.workload)
    transfer = settings.transfer
    network = build_template(task, trial, form)
    if transfer is not None and transfer.source is not None:
        source = given.get("initial")
        if source is None or "weights" not in source.products:
            raise ValueError(f"the weights of {transfer.source} are not here")
        load_weights(network, initial_weights(source))
    if ranks is not None or settings.accumulate > 1:
        refusal = data_parallel_refusal(network)
        if refusal is not None:
            raise ValueError(refusal)
    if ranks is not None and ranks.rank > 0:  # with other masks in each
        seed_dropout(network, stream(trial.seed_of("order"), f"rank {ranks.rank}"))
    if transfer:
        freeze(network, frozen_groups(transfer, len(layer_groups(network))))
    return network
