"""Which trials are tried again after which fault, and how many times."""

import pytest

from harness.cluster import Loss, Lost, Pack
from harness.run.trial_queue import MOST_FREE, FaultPolicy, PackQueue
from harness.study.running import Faults
from harness.trial import Phase, Record, State, Trial


def trial(seed=0):
    workload = {"model": {"name": "mlp"}, "optimizer": {"name": "adam", "lr": 0.1}}
    return Trial(workload, seed, Phase.SEARCH, "data", "code")


def lost(kind, *seeds):
    return Lost(Pack(tuple(trial(seed) for seed in seeds or (0,))), "why", kind)


def failed(reason, attempt=1):
    return Record(trial(), State.FAILED, f"Traceback\n  {reason}\n{reason}", attempt=attempt)


@pytest.mark.parametrize(
    ("kind", "tries"),
    [(Loss.WORKER, 3), (Loss.MEMORY, 3), (Loss.ERROR, 3), (Loss.TIME, 1), (Loss.NODE, MOST_FREE)],
)
def test_each_fault_has_its_number_of_tries(kind, tries):
    policy = FaultPolicy(Faults())
    given_up = [policy.why_given_up(trial().id, lost(kind)) for _ in range(tries)]
    assert given_up[:-1] == [""] * (tries - 1)
    assert f"{kind}: why" in given_up[-1]
    assert ("times" in given_up[-1]) == (tries > 1)


def test_the_loss_of_a_node_is_not_charged():
    policy = FaultPolicy(Faults(retries=1))
    kinds = [Loss.PREEMPTED, Loss.WORKER, Loss.NODE, Loss.PREEMPTED, Loss.WORKER]
    given_up = [policy.why_given_up(trial().id, lost(kind)) for kind in kinds]
    assert [bool(reason) for reason in given_up] == [False, False, False, False, True]


def test_trials_lost_together_are_tried_again_alone_and_not_charged():
    policy = FaultPolicy(Faults(retries=0))
    together = lost(Loss.WORKER, 0, 1, 2)
    assert {policy.why_given_up(one.id, together) for one in together.pack.trials} == {""}
    assert policy.why_given_up(trial(4).id, lost(Loss.NODE, 4, 5)) == ""
    assert [policy.goes_alone(trial(seed).id) for seed in range(5)] == [True] * 3 + [False] * 2
    assert policy.why_given_up(trial(1).id, lost(Loss.WORKER, 1)) == "worker crashed: why"

    queue = PackQueue()
    for one in together.pack.trials:
        queue.add(one, 2, alone=True)
    queue.add(trial(3), 2)
    assert [len(queue.next_pack(1).trials) for _ in range(4)] == [1, 1, 1, 1]
    assert not queue


def test_a_pack_that_ran_out_of_memory_is_halved_until_its_trials_are_alone():
    policy, queue = FaultPolicy(Faults(retries=0)), PackQueue()
    for seed in range(12):
        queue.add(trial(seed), 1)
    sizes = []
    while queue:
        pack = queue.next_pack(1)
        sizes.append(len(pack.trials))
        if len(pack.trials) <= 2:
            continue
        loss = Lost(pack, "full", Loss.MEMORY)
        queue.halve(loss.pack)
        for one in pack.trials:
            assert policy.why_given_up(one.id, loss) == ""  # nobody is charged
            queue.add(one, pack.attempt + 1, alone=policy.goes_alone(one.id))
    assert sizes[:4] == [12, 6, 3, 2]
    assert sum(sizes[3:]) == 12
    assert max(sizes[3:]) == 2
    alone = lost(Loss.MEMORY, 0)
    queue.halve(alone.pack)
    assert policy.why_given_up(trial(0).id, alone) == "out of memory: why"


def test_exceptions_are_tried_again_only_where_a_study_says_so():
    assert FaultPolicy(Faults()).lost_to_exception(failed("ValueError: odd")) is None
    policy = FaultPolicy(Faults(retry_on=["exception"], retries=1))
    loss = policy.lost_to_exception(failed("ValueError: odd", attempt=4))
    assert (loss.kind, loss.cause, loss.pack.attempt) == (Loss.EXCEPTION, "ValueError: odd", 4)
    assert policy.why_given_up(trial().id, loss) == ""
    assert policy.lost_to_exception(failed("ValueError: odd")) is None  # its own record stands
    assert policy.lost_to_exception(Record(trial(), State.DIVERGED)) is None


def test_memory_that_a_trial_runs_out_of_by_itself_counts_as_memory():
    loss = FaultPolicy(Faults()).lost_to_exception(failed("torch.OutOfMemoryError: CUDA"))
    assert loss.kind is Loss.MEMORY
