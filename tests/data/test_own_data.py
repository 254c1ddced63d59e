"""Data by path, by a library's name, and from a function: read, divided, identified."""

import hashlib
import json
import sys

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet
from pydantic import TypeAdapter

from harness.study.workload import DataSetting
from harness.trial import Phase
from harness.workloads import DataMissingError, fingerprint, load, split

DATA_TYPE = TypeAdapter(DataSetting)


def resolved(name, **settings):
    given = json.dumps({"name": name, **settings})
    return DATA_TYPE.validate_json(given).model_dump(mode="json")


def write_images(folder, count=10, classes=("cat", "dog"), size=(6, 5)):
    generator = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i:02}.png")
    return folder


def write_table(file, rows=60, **columns):
    generator = np.random.default_rng(1)
    kind = np.array(["red", "green", "blue"])[generator.integers(0, 3, rows)]
    value = generator.normal(size=rows)
    table = {
        "value": value,
        "kind": kind,
        "target": np.where(value + (kind == "red") > 0.3, "yes", "no"),
        **columns,
    }
    parquet.write_table(pa.table(table), file.with_suffix(".parquet"))
    from pyarrow import csv

    csv.write_csv(pa.table(table), file)
    return file


def check_promises(config, dataset, root):
    """Check what every data set promises, whatever it is read from."""
    form = dataset.form
    for part in (dataset.examples, dataset.test):
        assert part.inputs.shape == (len(part), *form.shape)
        assert len(part) > 0
        if form.kind == "class":
            assert part.targets.dtype == np.int64
            assert set(part.targets) <= set(range(form.outputs))
        else:
            assert part.targets.dtype == np.float32
    again = load(config, root)
    assert again.fingerprint == dataset.fingerprint == fingerprint(config, root)
    assert np.array_equal(again.test.inputs, dataset.test.inputs)
    assert dataset.for_phase(Phase.SEARCH).test is None
    train, validation = split(dataset.examples.targets, config["validation_fraction"], 3,
                              dataset.handling)  # fmt: skip
    assert sorted([*train, *validation]) == list(range(len(dataset.examples)))
    if form.kind == "class":
        assert set(dataset.examples.targets[train]) == set(range(form.outputs))


def test_a_folder_of_images_by_class(tmp_path):
    write_images(tmp_path / "pets")
    config = resolved("image_folder", path="pets")
    dataset = load(config, tmp_path)
    check_promises(config, dataset, tmp_path)
    assert dataset.examples.inputs.dtype == np.uint8
    assert dataset.form.shape == (3, 6, 5)
    assert (len(dataset.examples), len(dataset.test)) == (16, 4)
    small = load(resolved("image_folder", path="pets", size=[4, 4], color="grey"), tmp_path)
    assert small.form.shape == (1, 4, 4)


def test_folders_of_parts_are_kept(tmp_path):
    for part, count in (("train", 8), ("val", 3), ("test", 4)):
        write_images(tmp_path / "pets" / part, count)
    config = resolved("image_folder", path="pets")
    dataset = load(config, tmp_path)
    check_promises(config, dataset, tmp_path)
    assert (len(dataset.examples), len(dataset.test)) == (22, 8)
    for seed in (0, 1):
        assert len(split(dataset.examples.targets, 0.5, seed, dataset.handling)[1]) == 6


def test_images_in_parquet_as_hugging_face_lays_them_out(tmp_path):
    write_images(tmp_path / "pets")
    files = sorted((tmp_path / "pets").rglob("*.png"))
    rows = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    table = pa.table({"image": rows, "label": [i % 2 for i in range(len(files))]})
    parquet.write_table(table, tmp_path / "pets.parquet")
    config = resolved("image_parquet", path="pets.parquet")
    dataset = load(config, tmp_path)
    check_promises(config, dataset, tmp_path)
    assert dataset.form.shape == (3, 6, 5)
    (tmp_path / "parts" / "data").mkdir(parents=True)
    for part in ("train", "test"):
        parquet.write_table(table, tmp_path / "parts" / "data" / f"{part}-00000-of-00001.parquet")
    assert len(load(resolved("image_parquet", path="parts"), tmp_path).test) == 20


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables_with_kinds_and_gaps(tmp_path, suffix):
    gaps = pa.array([None if i % 9 == 4 else float(i) for i in range(60)])
    write_table(tmp_path / "rows.csv", gaps=gaps, code=np.arange(60) % 3)
    path = f"rows{suffix}"
    config = resolved("table_file", path=path, target="target", missing="impute",
                      categorical=["code"])  # fmt: skip
    dataset = load(config, tmp_path)
    check_promises(config, dataset, tmp_path)
    assert dataset.form.shape == (1 + 3 + 1 + 3,)
    assert np.isfinite(dataset.examples.inputs).all()
    numbers = resolved("table_file", path=path, target="value", targets="numbers",
                       features=["kind", "code"])  # fmt: skip
    check_promises(numbers, load(numbers, tmp_path), tmp_path)
    with pytest.raises(DataMissingError, match=r"row 5 has no value in the column 'gaps'.*impute"):
        load(resolved("table_file", path=path, target="target"), tmp_path)


def test_groups_are_never_divided_and_folds_take_turns(tmp_path):
    patients = np.repeat([f"p{i}" for i in range(20)], 3)
    write_table(tmp_path / "rows.csv", patient=patients)
    grouped = resolved("table_file", path="rows.csv", target="target", group_column="patient",
                       features=["value", "kind", "patient"])  # fmt: skip
    dataset = load(grouped | {"features": ["value", "kind"]}, tmp_path)
    groups = dataset.handling.groups
    assert len(dataset.test) % 3 == 0
    assert (np.unique(dataset.test.clusters, return_counts=True)[1] == 3).all()
    for seed in range(4):
        train, validation = split(dataset.examples.targets, 0.2, seed, dataset.handling)
        assert not set(groups[train]) & set(groups[validation])

    folded = load(resolved("table_file", path="rows.csv", target="target", folds=4,
                           features=["value", "kind"]), tmp_path)  # fmt: skip
    held = [split(folded.examples.targets, 0.2, seed, folded.handling)[1] for seed in range(8)]
    for start in (0, 4):  # each four seeds validate on every example once
        assert sorted(np.concatenate(held[start : start + 4])) == list(range(len(folded.examples)))
    assert any(not np.array_equal(a, b) for a, b in zip(held[:4], held[4:], strict=True))


def test_a_split_column_is_followed(tmp_path):
    said = np.array(["train"] * 40 + ["val"] * 10 + ["Test"] * 10)
    write_table(tmp_path / "rows.csv", split=said)
    config = resolved("table_file", path="rows.csv", target="target", split_column="split")
    dataset = load(config, tmp_path)
    check_promises(config, dataset, tmp_path)
    assert (len(dataset.examples), len(dataset.test)) == (50, 10)
    assert list(dataset.handling.validation) == list(range(40, 50))


def test_texts_in_folders_and_in_a_column(tmp_path):
    words = {"good": "a fine and lovely film", "bad": "a dull and tedious film"}
    for label, text in words.items():
        (tmp_path / "reviews" / label).mkdir(parents=True)
        for i in range(10):
            (tmp_path / "reviews" / label / f"{i}.txt").write_text(f"{text} number {i}")
    config = resolved("texts", path="reviews", length=8, vocabulary=50)
    dataset = load(config, tmp_path)
    check_promises(config, dataset, tmp_path)
    assert dataset.form.vocabulary == 50
    rows = {"text": [f"{t} {i}" for i in range(10) for t in words.values()], "label": [*words] * 10}
    parquet.write_table(pa.table(rows), tmp_path / "rows.parquet")
    config = resolved("texts", path="rows.parquet", length=8)
    check_promises(config, load(config, tmp_path), tmp_path)


def test_numpy_archives(tmp_path):
    generator = np.random.default_rng(2)
    inputs, targets = generator.normal(size=(40, 3)), np.arange(40) % 2
    np.savez(tmp_path / "a.npz", inputs=inputs, targets=targets, groups=np.arange(40) // 2)
    config = resolved("arrays", path="a.npz")
    dataset = load(config, tmp_path)
    check_promises(config, dataset, tmp_path)
    assert dataset.handling.groups is not None
    np.savez(tmp_path / "b.npz", inputs=inputs, targets=inputs[:, :2], test_inputs=inputs,
             test_targets=inputs[:, :2])  # fmt: skip
    config = resolved("arrays", path="b.npz", targets="numbers")
    dataset = load(config, tmp_path)
    check_promises(config, dataset, tmp_path)
    assert dataset.form.outputs == 2
    ids = np.arange(400).reshape(40, 10) % 7
    np.savez(tmp_path / "c.npz", inputs=ids, targets=ids)
    dataset = load(resolved("arrays", path="c.npz", targets="sequence", vocabulary=7), tmp_path)
    assert (dataset.form.kind, dataset.form.outputs) == ("sequence", 7)


def test_a_changed_file_is_noticed_and_named(tmp_path):
    folder = write_images(tmp_path / "pets")
    files = sorted(folder.rglob("*.png"))
    lines = [f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.relative_to(tmp_path)}\n"
             for f in files]  # fmt: skip
    (tmp_path / "pets.sha256").write_text("".join(lines))
    config = resolved("image_folder", path="pets", checksums="pets.sha256")
    before = load(config, tmp_path).fingerprint
    files[3].write_bytes(files[4].read_bytes())
    with pytest.raises(DataMissingError, match=r"pets/cat/03.png is not the file that pets.sha256"):
        load(config, tmp_path)
    plain = resolved("image_folder", path="pets")
    changed = fingerprint(plain, tmp_path)
    files[3].rename(folder / "dog" / "03b.png")  # the same bytes, another class
    assert len({before, changed, fingerprint(plain, tmp_path)}) == 3
    (folder / "dog" / "03b.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(DataMissingError, match=r"pets/dog/03b.png cannot be read as an image"):
        load(plain, tmp_path)


def test_torchvision_by_name(tmp_path):
    settings = {"size": 40, "image_size": [3, 8, 8], "num_classes": 4}
    config = resolved("torchvision", source="FakeData", settings=settings)
    dataset = load(config, tmp_path)
    check_promises(config, dataset, tmp_path)
    assert dataset.form.shape == (3, 8, 8)
    with pytest.raises(DataMissingError, match="did you mean 'FashionMNIST'"):
        load(resolved("torchvision", source="FashionMNST"), tmp_path)


def test_torchvision_reads_files_that_are_there_and_says_what_is_not(tmp_path):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 40), ("t10k", 20)):
        pixels = np.random.default_rng(3).integers(0, 255, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        head = np.array([2051, count, 28, 28], dtype=">i4").tobytes()
        (raw / f"{part}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        head = np.array([2049, count], dtype=">i4").tobytes()
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(head + labels.tobytes())
    config = resolved("torchvision", source="FashionMNIST", color="grey")
    dataset = load(config, tmp_path)
    assert dataset.form.shape == (1, 28, 28)
    assert (len(dataset.examples), len(dataset.test)) == (40, 20)
    assert fingerprint(resolved("torchvision", source="KMNIST"), tmp_path) is None


OWN = """\
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

x, y = torch.randn(60, 4), torch.arange(60) % 3

def tensors(): return x, y
def dataset(): return TensorDataset(x, y)
def loader(): return DataLoader(TensorDataset(x, y), batch_size=7)
def parts(): return {"train": (x, y), "val": (x[:9], y[:9]), "test": TensorDataset(x, y)}
def grouped(): return {"train": (x, y), "groups": np.arange(60) // 6}
class Augmented(Dataset):
    def __len__(self): return 60
    def __getitem__(self, place): return x[place] + 0.1 * torch.randn(4), y[place]

def augmented(): return Augmented()
def augmented_loader(): return {"train": DataLoader(Augmented(), batch_size=7), "test": (x, y)}
def shuffled(): return DataLoader(TensorDataset(x, y), batch_size=7, shuffle=True)
def drawn(scale=1.0): return scale * torch.randn(60, 2), y
"""


@pytest.mark.parametrize(
    "function", ["tensors", "dataset", "loader", "shuffled", "parts", "grouped", "drawn"]
)
def test_a_function_of_ones_own(tmp_path, monkeypatch, function):
    (tmp_path / "own_data_module.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_data_module", raising=False)
    config = resolved(f"own_data_module:{function}")
    check_promises(config, load(config, tmp_path), tmp_path)
    if function == "drawn":
        other = resolved(f"own_data_module:{function}", settings={"scale": 2.0})
        assert fingerprint(other, tmp_path) != fingerprint(config, tmp_path)


@pytest.mark.parametrize("function", ["augmented", "augmented_loader"])
def test_a_random_transform_is_refused(tmp_path, monkeypatch, function):
    """It would be drawn once, and the study would find that augmentation does not help."""
    (tmp_path / "own_data_module.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_data_module", raising=False)
    with pytest.raises(DataMissingError, match=r"example 0 is another one each time it is read, a"):
        load(resolved(f"own_data_module:{function}"), tmp_path)


def test_hugging_face_reads_local_folders_of_its_layouts(tmp_path, monkeypatch):
    for name in ("HF_HOME", "HF_DATASETS_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for part in ("train", "test"):
        write_images(tmp_path / "images" / part)
        (tmp_path / "texts").mkdir(exist_ok=True)
        rows = [f"a {'fine' if i % 2 else 'dull'} film {i},{i % 2}\n" for i in range(20)]
        (tmp_path / "texts" / f"{part}.csv").write_text("text,label\n" + "".join(rows))
    for folder, settings in (("images", {"input": "image"}), ("texts", {"input": "text"})):
        config = resolved("huggingface", source=str(tmp_path / folder), length=6, **settings)
        dataset = load(config, tmp_path)
        check_promises(config, dataset, tmp_path)
        assert (len(dataset.examples), len(dataset.test)) == (20, 20)
