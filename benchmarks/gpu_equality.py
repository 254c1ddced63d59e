"""Whether a GPU computes what it should: packs as trials alone, and trials as on a CPU.

Every network and every optimizer is trained for three epochs, four trials alone and the same four
in a pack, and one of them on the CPU. Losses of training, validation and test must agree within
TOLERANCE. Float32 products are computed in full, so that what is left is the order of sums.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks._gpu import (
    Bench,
    Item,
    Line,
    complete,
    difference,
    each,
    made_up,
    model,
    optimizer,
    packs_as_large_as_asked,
    products_in,
    records_on,
    trials_of,
)
from harness import registry
from harness.data_spec import Form
from harness.registry import setting
from harness.train.engine import Setting, context_of
from harness.train.packed_program import PackedProgram
from harness.trial import Phase
from harness.workloads import TrialData, load

TOLERANCE = 1e-2  # of a loss, after three epochs
IMAGES = Form((1, 6, 6), 2)
NUMBERS = Form((3,), 2, "numbers")
SEQUENCES = Form((7,), 2, "sequence", 9)
TEXTS = Form((7,), 3, "class", 9)
GRAPHS = {"name": "communities", "nodes": 6, "communities": 2, "examples": 120, "test": 40}
PAIRS = {"name": "pairs", "length": 4, "symbols": 6, "examples": 120, "test": 40}
BERT: dict[str, Any] = {
    "vocab_size": 9, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 32, "max_position_embeddings": 16,
}  # fmt: skip
LLAMA = {"model_type": "llama", "hidden_size": 16, "intermediate_size": 32,
         "num_hidden_layers": 1, "num_attention_heads": 2}  # fmt: skip
Case = tuple[Form | Mapping[str, Any], Mapping[str, Any]]
MODELS: Mapping[str, tuple[Case, ...]] = {
    "mlp": (
        (IMAGES, {"norm": "batch", "dropout": 0.2}),
        (NUMBERS, {"norm": "layer", "residual": True, "activation": "gelu"}),
    ),
    "cnn": ((IMAGES, {"channels": [4], "norm": "group", "groups": 2, "dense": 8}),),
    "skip_cnn": ((IMAGES, {"channels": [4, 4, 4], "norm": "none", "pooling": "none", "dense": 8}),),
    "resnet": ((IMAGES, {"channels": [4], "blocks": [1], "norm": "batch"}),),
    "lenet": ((IMAGES, {}),),
    "alexnet": ((IMAGES, {"channels": [4, 6, 8, 6, 4], "dense": 8, "dropout": 0.0}),),
    "vgg": ((IMAGES, {"channels": [4], "blocks": [1], "norm": "none", "dense": [8]}),),
    "inception": ((IMAGES, {"channels": [16], "blocks": [1], "norm": "none"}),),
    "efficientnet": ((IMAGES, {"stages": 2, "width": 0.25, "head": 8}),),
    "bag_of_embeddings": ((TEXTS, {"width": 8}),),
    "convolutional_decoder": ((Form((3,), 16, "numbers"), {"channels": [4]}),),
    "unet": ((Form((1, 4, 4), 16, "numbers"), {"channels": [8, 16]}),),
    "embedding_mlp": ((NUMBERS, {"categories": [[0, 2]], "dropout": 0.2}),),
    "recurrent": (
        (NUMBERS, {"cell": "gru", "width": 32, "dropout": 0.2}),
        (SEQUENCES, {"cell": "rnn", "width": 32, "bidirectional": True}),
        (SEQUENCES, {"cell": "lstm", "width": 6, "layers": 1}),
    ),
    "residual_mlp": ((NUMBERS, {"width": 16, "blocks": 1, "dropout": 0.2}),),
    "column_transformer": ((NUMBERS, {"layers": 1, "width": 8, "heads": 2}),),
    "lstm_gates": ((SEQUENCES, {"width": 6}),),
    "encoder_decoder": ((PAIRS, {"width": 8, "embedding": 8}),),
    "graph_convolution": ((GRAPHS, {"width": 8}),),
    "transformer": (
        (SEQUENCES, {"width": 8, "attention": "plain", "dropout": 0.1}),
        (SEQUENCES, {"width": 8, "attention": "fused"}),
        (IMAGES, {"width": 8, "attention": "plain", "norm": "post", "patch": 2}),
    ),
    "torchvision": ((IMAGES, {"architecture": "mobilenet_v3_small"}),),
    "causal_lm": ((Form((7,), 9, "sequence", 9), {"config": LLAMA}),),
    "transformers": ((TEXTS, {"source": "FOLDER", "dropout": 0.0}),),
}
"""Of each network, data and settings; FOLDER is one with a small encoder."""
OPTIMIZERS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "adam": ({"weight_decay": 0.01}, {"beta1": 0.5, "beta2": 0.9}),
    "adamw": ({},),
    "sgd": ({}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    "rmsprop": ({"momentum": 0.9},),
    "adagrad": ({"lr_decay": 0.1},),
    "nadam": ({},),
    "radam": ({"weight_decay": 0.01},),
    "torch.optim.Adadelta": ({"lr": 0.1},),
}
MLP: Mapping[str, Any] = {"name": "mlp", "depth": 1, "width": 32}
SMALL_IMAGES = Form((1, 8, 8), 10)
TASKS: Mapping[str, tuple[Form | Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]] = {
    "adversarial": (SMALL_IMAGES, MLP, {"noise": 8, "discriminator": MLP}),
    "spectral_adversarial": (SMALL_IMAGES, MLP, {"noise": 8, "discriminator": MLP}),
    "autoregressive": (
        SMALL_IMAGES,
        {"name": "recurrent", "cell": "gru", "width": 16, "embedding": 8},
        {"levels": 8},
    ),
    "boltzmann_machine": (SMALL_IMAGES, {**MLP, "activation": "sigmoid"}, {}),
    "conditional_vae": (SMALL_IMAGES, MLP, {"latent": 8, "decoder": MLP}),
    "contractive_autoencoder": (
        SMALL_IMAGES, {"name": "mlp", "depth": 0, "activation": "sigmoid"}, {"code": 16},
    ),
    "diffusion": (SMALL_IMAGES, MLP, {"levels": 100, "sampling_steps": 10}),
    "reconstruction": (SMALL_IMAGES, MLP, {"code": 8, "decoder": MLP, "beta": 1.0}),
    "multitask": (SMALL_IMAGES, MLP, {}),
    "quantized_classification": (SMALL_IMAGES, MLP, {}),
    "binned_regression": (NUMBERS, MLP, {"bins": 8, "low": -4.0, "high": 4.0}),
    "skip_gram": (TEXTS, {"name": "bag_of_embeddings", "width": 16}, {"window": 3}),
    "sequence_to_sequence": (
        PAIRS, {"name": "encoder_decoder", "width": 8, "embedding": 8}, {},
    ),
}  # fmt: skip
"""Of each task that has steps of its own: data, network, settings."""
USUAL = {"classification", "regression", "token_classification"}
"""Tasks that the networks above learn."""
OF_STAGES = {"distillation", "pruned_classification", "structured_pruned_classification"}
"""Tasks that begin with another network, and are not tried here."""
TASK_TOLERANCE = 5e-2  # of what a task reports after two epochs, beside a CPU


def rows(bench: Bench) -> Iterator[Line]:
    """Compare every network and every optimizer."""
    with tempfile.TemporaryDirectory() as folder, products_in("ieee"), packs_as_large_as_asked():
        yield from each(bench, _items(bench, Path(folder)))


def _items(bench: Bench, folder: Path) -> Iterator[Item]:
    """Give the first case of everything before the second of anything: time may be over."""
    cases: list[tuple[int, str, Item]] = []
    for name, settings in OPTIMIZERS.items():
        for place, one in enumerate(settings):
            said = f"optimizer {name} {_words(one)}".rstrip()
            cases.append((place, said, (said, partial(_optimizer, bench, said, name, one))))
    for name, described in MODELS.items():
        for place, (given, network) in enumerate(described):
            said = f"network {name} {_words(network)}".rstrip()
            measure = partial(_network, bench, said, (name, given, network), folder)
            cases.append((place, said, (said, measure)))
    for name, (given, learner, one) in TASKS.items():
        said = f"task {name}"
        measure = partial(_task, bench, said, (name, given, learner, one), folder)
        cases.append((0, said, (said, measure)))
    for place, _, item in sorted(cases, key=lambda case: case[:2]):
        if not (bench.quick and place):
            yield item


def _optimizer(bench: Bench, what: str, name: str, settings: Mapping[str, Any]) -> Iterator[Line]:
    network = model("mlp", width=9, dropout=0.1)
    data = made_up(Form((12,), 3), 150)
    yield _compared(bench, what, network, optimizer(name, **settings), data)


def _network(
    bench: Bench, what: str, case: tuple[str, Any, Mapping[str, Any]], folder: Path
) -> Iterator[Line]:
    name, given, settings = case
    if name == "transformers":
        settings = {**settings, "source": str(_encoder(folder))}
    data = _data(given, folder)
    yield _compared(bench, what, model(name, **settings), optimizer("adam"), data)


def _data(given: Form | Mapping[str, Any], folder: Path) -> TrialData:
    if isinstance(given, Form):
        return made_up(given, 120)
    return load(dict(given), folder).for_phase(Phase.CONFIRMATION)


def _task(
    bench: Bench, what: str, case: tuple[str, Any, Mapping[str, Any], Any], folder: Path
) -> Iterator[Line]:
    """Compare what a task reports of its last epoch: of training and of validation."""
    name, given, network, settings = case
    task = complete(setting(registry.TASKS), name, settings)
    trials = trials_of(
        model(**network), optimizer("adam"), 1, epochs=2, batch_size=32, task=task, keep="last"
    )
    data = _data(given, folder)
    here, other = (
        records_on(device, trials, data, 1)[0].curve[-1]
        for device in (bench.device, torch.device("cpu"))
    )
    told = set(other) - {"epoch"}
    shares = {key: abs(here[key] - other[key]) / max(abs(other[key]), 0.01) for key in told}
    worst = max(shares, key=lambda key: shares[key])
    yield Line(
        what,
        "the same trial on the CPU",
        f"{shares[worst]:.1e}",
        f"≤ {TASK_TOLERANCE:g}",
        shares[worst] <= TASK_TOLERANCE,
        f"{worst}: {here[worst]:.5g} against {other[worst]:.5g}",
    )


def _compared(
    bench: Bench, what: str, network: Mapping[str, Any], steps: Mapping[str, Any], data: TrialData
) -> Line:
    count, epochs = (2, 2) if bench.quick else (4, 3)
    trials = trials_of(network, steps, count, epochs=epochs, rates=count, batch_size=32)
    alone = records_on(bench.device, trials, data, 1)
    packed = records_on(bench.device, trials, data, 64)
    size = int(packed[0].cost["pack_size"])
    apart = difference(packed, alone)
    pack = f"a pack of {size} differs by {apart:.1e}"
    if size == 1:
        program = context_of(trials[0], data, Setting()).program
        pack = "" if isinstance(program, PackedProgram) else f"never packed: {program.refusal}"
        pack = pack or packed[0].environment["packing"]
    if bench.on_gpu:
        threads = min(8, os.cpu_count() or 1)
        elsewhere = records_on(torch.device("cpu"), trials[:1], data, 1, threads)
        from_cpu = difference(alone[:1], elsewhere)
        pack, apart = f"{pack}; the CPU by {from_cpu:.1e}", max(apart, from_cpu)
    return Line(
        what,
        "the same trials alone, and on the CPU" if bench.on_gpu else "the same trials alone",
        f"{apart:.1e}",
        f"≤ {TOLERANCE:g}",
        apart <= TOLERANCE,
        pack,
    )


def _encoder(folder: Path) -> Path:
    """Write a small encoder of transformers, drawn anew."""
    from transformers import AutoModel, BertConfig

    place = folder / "encoder"
    if not place.is_dir():
        torch.manual_seed(0)
        AutoModel.from_config(BertConfig(**BERT)).save_pretrained(place)
    return place


def _words(settings: Mapping[str, Any]) -> str:
    shown = {key: value for key, value in settings.items() if key not in ("config", "source")}
    return ", ".join(f"{key} {value}" for key, value in shown.items())
