"""One trial: the engine against the handbook's way and against the best loop by hand.

Run alone: `python -m benchmarks.run --only single`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import Subset

from benchmarks import networks
from benchmarks.loops import Fresh, Part, Sets, handbook_loop, loop_by_hand
from benchmarks.measure import Row, both_ratios, in_turn
from benchmarks.trials import adam, make_trial, run
from harness.data._words import count_vocabulary, tokens
from harness.data.docstrings import families
from harness.data_spec import Form
from harness.models import build
from harness.trial import Phase
from harness.workloads import Dataset, Examples, data_root, load

EPOCHS = 10  # as the handbook has it, of fewer examples
SENTENCE = 40  # tokens


@dataclass(frozen=True)
class Case:
    """One network of the handbook: as printed, by hand, and as the engine names it."""

    title: str
    sets: Sets
    dataset: Dataset
    printed: Fresh
    by_hand: Fresh
    model: Mapping[str, Any]
    goal: str
    scale: tuple[float, float] | None = None
    """Mean and deviation of the inputs; None where they are tokens."""


def rows(repeats: int, quick: bool) -> list[Row]:
    """Measure the MLP of handbook 6.2, the CNN of 7.4 and the LSTM of 8.4."""
    root, gpu = data_root(), torch.cuda.is_available()
    found = []
    for make in (_mlp, _cnn, _lstm):
        case = make(root, gpu, quick)
        found += [] if case is None else measured(case, repeats, gpu)
    return found


def measured(case: Case, repeats: int, gpu: bool, epochs: int = EPOCHS) -> list[Row]:
    """Measure one network: the handbook's way, the best loop by hand, and the engine in turn."""
    device = torch.device("cuda" if gpu else "cpu")
    trial = make_trial(
        case.dataset.name, 0, model=case.model, optimizer=adam(1e-3), epochs=epochs,
        fraction=0.1,
    )  # fmt: skip
    data = case.dataset.for_phase(Phase.CONFIRMATION)
    parts = (case.dataset.examples, case.dataset.test)
    placed = [_placed(part, case.scale, device) for part in parts]
    times = in_turn(
        {
            "handbook": partial(_silent, handbook_loop, case.sets, case.printed, epochs),
            "hand": partial(_silent, loop_by_hand, *placed, case.by_hand, epochs),
            "engine": partial(_silent, run, [trial], data),
        },
        repeats,
    )
    where = "one GPU" if gpu else "one CPU thread"
    count = len(case.dataset.examples)
    detail = (
        f"{where}; {count - count // 10:,} examples to train on, {epochs} epochs, batch 64; "
        "seconds: " + ", ".join(f"{way} {value.seconds:.2f}" for way, value in times.items())
    )
    return [
        Row(
            f"{case.title}, one trial",
            "the handbook's way: transforms one by one, DataLoader, plain loop",
            both_ratios(times["handbook"], times["engine"]),
            case.goal,
            detail,
        ),
        Row(
            f"{case.title}, one trial",
            "the best loop by hand: resident tensors, fused Adam, channels last, padding left out",
            both_ratios(times["hand"], times["engine"]),
            "≥ 0.95",
        ),
    ]


def _mlp(root: Path, gpu: bool, quick: bool) -> Case | None:
    return _mnist(root, 711 if quick else 2_844, **_digits_mlp(gpu))


def _digits_mlp(gpu: bool) -> dict[str, Any]:
    own = "benchmarks.networks:with_own_dropout"
    return {
        "title": "MNIST MLP (handbook 6.2)",
        "printed": lambda: networks.digit_classifier((1, 28, 28), 10),
        "by_hand": lambda: networks.digit_classifier((1, 28, 28), 10),
        "model": {"name": own, "settings": {}},
        "goal": "≥ 10" if gpu else "≥ 4",
    }


def _cnn(root: Path, gpu: bool, quick: bool) -> Case | None:
    del gpu
    return _mnist(root, 355 if quick else 711, **_digits_cnn())


def _digits_cnn() -> dict[str, Any]:
    return {
        "title": "MNIST CNN (handbook 7.4)",
        "printed": lambda: networks.cnn_classifier((1, 28, 28), 10),
        "by_hand": lambda: networks.cnn_classifier((1, 28, 28), 10),
        "model": {
            "name": "cnn", "channels": [32, 64, 128], "kernel": 3, "pooling": "max",
            "norm": "batch", "groups": 8, "dense": 256, "dropout_conv": 0.0, "dropout": 0.5,
            "activation": "relu", "initialization": "torch",
        },
        "goal": "≥ 1.5",
    }  # fmt: skip


class _Pictures(TorchDataset[tuple[torch.Tensor, int]]):
    """Images that are transformed one by one, as torchvision's MNIST does it."""

    def __init__(self, pixels: NDArray[np.uint8], labels: NDArray[np.int64], transform: Any):
        self._pixels, self._labels, self._transform = pixels, labels, transform

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        from PIL import Image

        return self._transform(Image.fromarray(self._pixels[index])), int(self._labels[index])


def images_of_random_pixels(network: str, images: int) -> Case:
    """Return the case of a network, `mlp` or `cnn`, with images of MNIST's shape but no files."""
    from torchvision import transforms

    generator = np.random.default_rng(0)

    def part(count: int) -> Examples:
        pixels = generator.integers(0, 256, (count, 1, 28, 28)).astype(np.uint8)
        return Examples((pixels / 255).astype(np.float32), np.arange(count) % 10)

    def pictures(examples: Examples) -> _Pictures:
        pixels = (examples.inputs[:, 0] * 255).round().astype(np.uint8)
        steps = [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
        return _Pictures(pixels, examples.targets, transforms.Compose(steps))

    examples, test = part(images), part(images // 10)
    whole, cut = pictures(examples), images - images // 10
    sets = Sets(Subset(whole, range(cut)), Subset(whole, range(cut, images)), pictures(test))
    dataset = Dataset("made-up", Form((1, 28, 28), 10), examples, test)
    case = _digits_mlp(True) if network == "mlp" else _digits_cnn()
    case["title"] = f"{case['title'].replace('MNIST ', '')}, images of random pixels"
    return Case(sets=sets, dataset=dataset, scale=(0.1307, 0.3081), **case)


def sentences(quick: bool) -> Case:
    """Return the case of the LSTM, which needs no files."""
    return _lstm(Path(), torch.cuda.is_available(), quick)


def _mnist(root: Path, images: int, title: str, **case: Any) -> Case | None:
    from torchvision import datasets, transforms

    if not (root / "MNIST").is_dir():
        print(f"{title}: skipped, no MNIST in the data root")
        return None
    transform = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
    )
    train = datasets.MNIST(root, train=True, transform=transform)
    # the data set ends where ours does, so that all ways evaluate as many test images
    test = Subset(datasets.MNIST(root, train=False, transform=transform), range(images // 10))
    cut = images - images // 10
    sets = Sets(Subset(train, range(cut)), Subset(train, range(cut, images)), test)
    dataset = load({"name": "mnist", "limit": images, "test_limit": images // 10}, root)
    return Case(title, sets, dataset, scale=(0.1307, 0.3081), **case)


def _lstm(root: Path, gpu: bool, quick: bool) -> Case:
    """Sentences of docstrings, cut, looked up and padded one by one by the handbook's way."""
    del gpu
    limit, tested = (100, 50) if quick else (711, 512)
    settings = {"name": "docstrings", "length": SENTENCE, "vocabulary": 5_000, "tokenizer": None}
    dataset = load({**settings, "limit": limit, "test_limit": tested}, root)
    pairs = zip(*families(), strict=False)  # one of each class in turn
    sentences = [tokens(sentence) for pair in pairs for sentence in pair]
    known = count_vocabulary(sentences, 5_000)

    def part(count: int) -> networks.Sentences:
        return networks.Sentences(sentences[:count], [i % 2 for i in range(count)], known)

    count = len(dataset.examples)
    sets = Sets(part(count - count // 10), part(count // 10), part(tested))
    model = {
        "name": "recurrent", "cell": "lstm", "layers": 2, "width": 128, "embedding": 100,
        "bidirectional": False, "pooling": "last", "dropout": 0.0, "initialization": "torch",
        "forget_bias": None,
    }  # fmt: skip
    form = Form((SENTENCE,), 2, "class", 5_000)
    return Case(
        "LSTM text classifier (handbook 8.4)", sets, dataset,
        printed=lambda: networks.TextClassifier(5_000, 100, 128, 2),
        by_hand=lambda: build(model, form, 0),
        model=model, goal="≥ 1.5",
    )  # fmt: skip


def _placed(examples: Any, scale: tuple[float, float] | None, device: torch.device) -> Part:
    inputs = examples.inputs if scale is None else (examples.inputs - scale[0]) / scale[1]
    return torch.tensor(inputs).to(device), torch.tensor(examples.targets).to(device)


def _silent(function: Callable[..., Any], *arguments: Any) -> None:
    function(*arguments)
