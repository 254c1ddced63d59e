"""A training loop for several devices: DDP, or FSDP where a network is too large for one."""

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel


def spread(model, how, workers):
    """Return the network as each worker holds it: a copy, or a share of every layer."""
    if workers == 1:
        return model
    if how == "ddp":
        return DistributedDataParallel(model)
    kind = "cuda" if next(model.parameters()).is_cuda else "cpu"
    mesh = init_device_mesh(kind, (workers,))
    for layer in model:
        if isinstance(layer, nn.Linear):
            fully_shard(layer, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def train(config, report):
    """Train a network; each worker calls this, and computes its part of every batch."""
    rank, workers = 0, 1
    if distributed.is_initialized():  # the study says `resources: {workers: 2}`
        rank, workers = distributed.get_rank(), distributed.get_world_size()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = {
        part: tuple(torch.tensor(array, device=device) for array in pair)
        for part, pair in config["data"].items()
        if pair is not None  # a search is never shown the test split
    }
    inputs, targets = data["train"]
    width = config["width"]
    network = nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs[0].numel(), width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 10),
    )
    network = spread(network.to(device), config["parallel"], workers)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config["lr"])
    order = torch.Generator().manual_seed(config["seed"])  # the same on every worker
    for _ in range(config["epochs"]):
        batches = torch.randperm(len(inputs), generator=order).split(64)
        for batch in batches[: len(inputs) // 64]:  # whole ones, whose parts are of one size
            part = batch[rank::workers].to(device)
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(inputs[part]), targets[part]).backward()
            optimizer.step()
        found = {}
        with torch.no_grad():
            for name, (x, y) in data.items():
                outputs = network(x)
                found[f"{name}.loss"] = nn.functional.cross_entropy(outputs, y)
                found[f"{name}.accuracy"] = (outputs.argmax(1) == y).float().mean()
        report(found)  # every worker does; what the first one says counts
