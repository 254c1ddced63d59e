"""MNIST and CIFAR-10 in the files in which they are published, as torchvision reads them."""

import gzip
import hashlib
import http.server
import io
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import threading
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from harness.data import cifar10, mnist
from harness.data._download import fetch, md5_of, untar, unzip
from harness.workloads import DataMissingError, load

REAL = os.environ.get("HARNESS_DATA", "")


class Python2(pickle._Pickler):
    """Writes arrays as Python 2 did: in its names, and with bytes as its strings."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value):
        self.write(b"T" + struct.pack("<i", len(value)) + value)
        self.memoize(value)

    dispatch[bytes] = save_bytes


def batch(seed, count=20):
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (count, 3072), dtype=np.uint8)
    labels = [int(label) for label in generator.permutation(count) % 10]
    written = io.BytesIO()
    Python2(written, protocol=2).dump({b"data": pixels, b"labels": labels, b"filenames": [b"a"]})
    return written.getvalue().replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray")


@pytest.fixture
def batches(tmp_path):
    """Write six small batches where torchvision keeps them; return their checksums."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    sums = []
    for names in (cifar10._TRAIN, cifar10._TEST):
        for seed, name in enumerate(names):
            (folder / name).write_bytes(batch(seed + 10 * len(sums)))
        sums.append({name: md5_of(folder / name) for name in names})
    return tmp_path, *sums


def test_batches_are_those_that_torchvision_reads(batches):
    from torchvision.datasets import CIFAR10

    root, *sums = batches
    (root / CIFAR10.base_folder / "batches.meta").write_bytes(pickle.dumps({"label_names": []}))

    class Small(CIFAR10):
        train_list, test_list = ([[name, md5] for name, md5 in known.items()] for known in sums)
        meta: ClassVar = {
            **CIFAR10.meta,
            "md5": md5_of(root / CIFAR10.base_folder / "batches.meta"),
        }

    for known, part in zip(sums, (True, False), strict=True):
        ours, theirs = cifar10.read_batches(root / CIFAR10.base_folder, known), Small(root, part)
        assert ours.inputs.dtype == np.uint8
        assert np.array_equal(ours.inputs, theirs.data.transpose(0, 3, 1, 2))
        assert ours.targets.tolist() == theirs.targets
        assert ours.targets.dtype == np.int64


def test_other_batches_than_those_published_are_refused(batches):
    root, train, _ = batches
    with pytest.raises(DataMissingError, match=r"data_batch_1.*damaged, or no file of CIFAR-10"):
        load({"name": "cifar10"}, root)
    evil = pickle.dumps({"data": os.getcwd, "labels": []})
    file = root / "cifar-10-batches-py" / "data_batch_1"
    file.write_bytes(evil)
    with pytest.raises(pickle.UnpicklingError, match="getcwd is no part of an array"):
        cifar10.read_batches(file.parent, {**train, "data_batch_1": md5_of(file)})


def test_names_and_checksums_are_those_of_torchvision():
    from torchvision.datasets import CIFAR10, MNIST

    assert {f"{name}.gz": md5 for name, md5 in mnist._FILES.items()} == dict(MNIST.resources)
    assert list(mnist._ADDRESSES) == MNIST.mirrors
    assert [*cifar10._TRAIN.items(), *cifar10._TEST.items()] == [
        tuple(known) for known in (*CIFAR10.train_list, *CIFAR10.test_list)
    ]
    assert (CIFAR10.url, CIFAR10.tgz_md5) == (cifar10._ADDRESS, cifar10._ARCHIVE)
    assert CIFAR10.base_folder == cifar10._FOLDER


def test_the_real_mnist_is_the_one_that_torchvision_reads():
    if not (Path(REAL) / "MNIST").is_dir():
        pytest.skip("HARNESS_DATA names no folder with MNIST")
    from torchvision.datasets import MNIST

    ours = load({"name": "mnist"}, Path(REAL))
    for part, theirs in ((ours.examples, MNIST(REAL)), (ours.test, MNIST(REAL, train=False))):
        assert np.array_equal(part.inputs[:, 0] * 255, theirs.data.numpy().astype(np.float32))
        assert np.array_equal(part.targets, theirs.targets.numpy())


def test_reading_published_files_imports_neither_torch_nor_torchvision(batches):
    root, *sums = batches
    code = (
        "import sys; from pathlib import Path; from harness.data.cifar10 import read_batches;"
        f"[read_batches(Path({str(root)!r}) / 'cifar-10-batches-py', s) for s in {sums!r}];"
        "print([m for m in ('torch', 'torchvision', 'sklearn', 'pandas') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


# --- downloads ------------------------------------------------------------------------------------
@pytest.fixture
def server(tmp_path):
    """Serve a folder; return it and its address."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        asked: ClassVar = []

        def log_message(self, *_):
            self.asked.append(self.path)

    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{serving.server_port}/", Quiet.asked
        serving.shutdown()
        thread.join()


def test_a_file_is_fetched_once_from_the_first_that_has_it(server, tmp_path):
    folder, address, asked = server
    (folder / "a.gz").write_bytes(gzip.compress(b"content"))
    md5 = md5_of(folder / "a.gz")
    file = tmp_path / "raw" / "a.gz"
    addresses = [f"{address}none/a.gz", f"{address}a.gz"]
    fetch(addresses, file, md5)
    unzip(file, file.with_suffix(""))
    assert (tmp_path / "raw" / "a").read_bytes() == b"content"
    before = len(asked)
    fetch(addresses, file, md5)
    assert len(asked) == before
    assert sorted(found.name for found in file.parent.iterdir()) == ["a", "a.gz"]


def test_another_file_than_the_published_one_is_not_kept(server, tmp_path):
    folder, address, _ = server
    (folder / "a.gz").write_bytes(b"not what it should be")
    file = tmp_path / "a.gz"
    with pytest.raises(OSError, match="another file than the one that is published"):
        fetch([f"{address}a.gz"], file, hashlib.md5(b"other").hexdigest())
    assert not file.exists()
    with pytest.raises(OSError, match="404"):
        fetch([f"{address}b.gz"], file, "")


def test_an_archive_is_unpacked_beside_what_is_there_and_nowhere_else(tmp_path):
    def archive(name, inside):
        packed = tmp_path / name
        with tarfile.open(packed, "w:gz") as written:
            about = tarfile.TarInfo(inside)
            about.size = 3
            written.addfile(about, io.BytesIO(b"new"))
        return packed

    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "folder" / "kept").write_bytes(b"old")
    untar(archive("a.tar.gz", "folder/batch"), root)
    assert {f.name: f.read_bytes() for f in (root / "folder").iterdir()} == {
        "kept": b"old", "batch": b"new",
    }  # fmt: skip
    with pytest.raises(OSError, match="outside"):
        untar(archive("b.tar.gz", "../../escaped"), root)
    (tmp_path / "c.tar.gz").write_bytes(b"no archive")
    with pytest.raises(OSError, match=r"c\.tar\.gz"):
        untar(tmp_path / "c.tar.gz", root)
    assert [found.name for found in root.iterdir()] == ["folder"]


def test_what_cannot_be_had_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "_ADDRESSES", ("http://127.0.0.1:9/",))
    with pytest.raises(DataMissingError, match=r"MNIST is not under .*--data-root or \$HARNESS"):
        load({"name": "mnist"}, tmp_path)
    monkeypatch.setattr(cifar10, "_ADDRESS", "http://127.0.0.1:9/cifar.tar.gz")
    with pytest.raises(DataMissingError, match=r"CIFAR-10 is not under .*--data-root or \$HARNESS"):
        load({"name": "cifar10"}, tmp_path)


def test_mnist_is_downloaded_to_where_torchvision_puts_it(server, tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    folder, address, _ = server
    generator = np.random.default_rng(0)
    known = {}
    for name in mnist._FILES:
        shape = (60, 28, 28) if "images" in name else (60,)
        values = generator.integers(0, 256 if "images" in name else 10, shape, dtype=np.uint8)
        header = struct.pack(f">{1 + len(shape)}i", 0x800 + len(shape), *shape)
        (folder / f"{name}.gz").write_bytes(gzip.compress(header + values.tobytes()))
        known[name] = md5_of(folder / f"{name}.gz")
    monkeypatch.setattr(mnist, "_ADDRESSES", (address,))
    monkeypatch.setattr(mnist, "_FILES", known)
    root = tmp_path / "data"
    root.mkdir()
    found = load({"name": "mnist"}, root)
    theirs = MNIST(root)
    assert np.array_equal(found.examples.inputs[:, 0] * 255, theirs.data.numpy().astype("float32"))
    assert np.array_equal(found.examples.targets, theirs.targets.numpy())
    assert found.fingerprint == load({"name": "mnist"}, root).fingerprint
