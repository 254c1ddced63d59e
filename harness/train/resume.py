"""Saving a trial in training to a checkpoint, and resuming it bit for bit."""

from __future__ import annotations

from typing import Any

import torch

from harness.train.pack import Pack


def resume(pack: Pack) -> int:
    """Load the newest sound checkpoint of a trial that trains alone.

    Returns:
        The epoch after which it was saved; 0 if the training begins anew.
    """
    checkpoints, ranks = pack.context.checkpoints, pack.context.ranks
    if checkpoints is None or len(pack.members) > 1:
        return 0
    state, damaged = checkpoints.load(_place(pack))
    epoch: int = 0 if state is None else state["epoch"]
    if ranks is not None and ranks.sharded:  # some may have saved one more than others
        common = torch.tensor([-epoch], device=pack.context.data.device)
        ranks.all_reduce_max(common)
        if epoch > -int(common):
            state, _ = checkpoints.load(_place(pack), -int(common))
            epoch = 0 if state is None else state["epoch"]
    if damaged:
        pack.noted["damaged_checkpoints"] = float(damaged)
    if ranks is not None and not ranks.all_agree(epoch):
        return 0  # not every worker sees the same files
    if state is not None:
        _restore(pack, state)
        pack.noted["resumed_after_epoch"] = float(epoch)
    return epoch


def save(pack: Pack, epoch: int) -> None:
    """Save a trial that trains alone; a checkpoint that cannot be written is only counted."""
    checkpoints, ranks = pack.context.checkpoints, pack.context.ranks
    if checkpoints is None or (ranks is not None and ranks.rank > 0 and not ranks.sharded):
        return
    try:
        checkpoints.save(_place(pack), epoch, _state(pack, epoch))
    except Exception:  # the storage may raise anything, and training goes on without it
        pack.noted["failed_checkpoints"] = pack.noted.get("failed_checkpoints", 0.0) + 1


def _place(pack: Pack) -> str:
    """Return what a trial's checkpoints are called: each worker's own where it has a share."""
    trial, ranks = pack.members[0].trial.id, pack.context.ranks
    if ranks is None or not ranks.sharded:
        return trial
    return f"{trial}/share-{ranks.rank + 1}-of-{ranks.world_size}"


def _state(pack: Pack, epoch: int) -> dict[str, Any]:
    """Return all that the rest of the training depends on."""
    (member,) = pack.members
    augmentation = pack.augmentation
    state = {
        "epoch": epoch,
        "steps": pack.steps,
        "stack": pack.stack.tensors,
        "best": pack.best.tensors,
        "updates": {part: update.state() for part, update in pack.updates.items()},
        "member": {
            "best": member.best,
            "best_epoch": member.best_epoch,
            "seconds": member.seconds,
            "curve": [dict(point) for point in member.curve],
            "order": member.order.bit_generator.state,
        },
        "augmentation": None if augmentation is None else augmentation.state(),
        "summed": None if pack.summed is None else pack.summed.sums,
        "task_generator": pack.generator.get_state(),
        "generator": torch.get_rng_state(),
    }
    if pack.context.data.device.type == "cuda":
        state["cuda_generator"] = torch.cuda.get_rng_state()
    return state


def _restore(pack: Pack, state: dict[str, Any]) -> None:
    """Bring a pack that has just been made to a saved state."""
    for epoch in range(1, state["epoch"] + 1):
        pack.begin_epoch(epoch)  # unfreezes layers one after another, as in training
    for own, saved in ((pack.stack, state["stack"]), (pack.best, state["best"])):
        for tensor, value in zip(own.tensors, saved, strict=True):
            tensor.copy_(value)
    for part, update in pack.updates.items():
        update.load(state["updates"][part])
    if pack.summed is not None:
        pack.summed.sums = state["summed"]
    pack.generator.set_state(state["task_generator"])
    pack.steps = state["steps"]
    (member,) = pack.members
    saved = state["member"]
    member.best, member.best_epoch = saved["best"], saved["best_epoch"]
    member.seconds, member.curve = saved["seconds"], list(saved["curve"])
    member.order.bit_generator.state = saved["order"]
    if pack.augmentation is not None:
        pack.augmentation.load(state["augmentation"])
    torch.set_rng_state(state["generator"])
    if "cuda_generator" in state:
        torch.cuda.set_rng_state(state["cuda_generator"])
