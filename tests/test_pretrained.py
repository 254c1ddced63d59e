"""Where encoders come from, and what identifies them. No test needs a network."""

import json
import shutil
import sys

import huggingface_hub
import pytest

from harness.pretrained import (
    WeightsMissingError,
    outside_versions,
    resolve_source,
    source_fingerprint,
)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "encoder"
    place.mkdir()
    (place / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (place / "model.safetensors").write_bytes(b"weights")
    return place


def test_a_folder_is_taken_as_it_is(folder):
    assert resolve_source(str(folder)) == folder


def test_a_folder_in_a_package_is_found_without_importing_it(folder, tmp_path, monkeypatch):
    package = tmp_path / "a_package_of_weights"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    shutil.copytree(folder, package / "model")
    monkeypatch.syspath_prepend(tmp_path)
    assert resolve_source("package:a_package_of_weights/model") == package / "model"
    assert "a_package_of_weights" not in sys.modules
    with pytest.raises(WeightsMissingError, match="has no folder 'modle'"):
        resolve_source("package:a_package_of_weights/modle")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("package:no_such_package/model", "'no_such_package', which is not installed"),
        ("package:", "not installed"),
        ("/no/such/folder", "no folder '/no/such/folder'"),
        ("a name with spaces", "no folder"),
    ],
)
def test_what_is_not_there_is_named(source, message):
    with pytest.raises(WeightsMissingError, match=message):
        resolve_source(source)


def test_only_weights_that_cannot_run_code_are_read(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(WeightsMissingError, match="reading them can run code"):
        resolve_source(str(folder))
    assert resolve_source(str(folder), weights=False) == folder
    (folder / "config.json").unlink()
    with pytest.raises(WeightsMissingError, match=r"no config\.json"):
        resolve_source(str(folder), weights=False)


def test_a_hub_name_is_looked_for_in_the_cache_before_the_network(folder, monkeypatch):
    asked = []

    def snapshot(name, *, allow_patterns, local_files_only=False, **_):
        asked.append((name, local_files_only, "*.safetensors" in allow_patterns))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert resolve_source("someone/an-encoder") == folder
    (folder / "model.safetensors").unlink()  # a cache that holds the configuration alone
    assert resolve_source("someone/an-encoder", weights=False) == folder
    with pytest.raises(WeightsMissingError):
        resolve_source("someone/an-encoder")
    name = "someone/an-encoder"
    assert asked == [(name, True, True), (name, True, False), (name, True, True),
                     (name, False, True)]  # fmt: skip


def test_a_hub_name_without_a_network_is_said_with_what_to_do(monkeypatch):
    def snapshot(name, **_):
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    with pytest.raises(WeightsMissingError, match=r"no route to host.*hf download some/thing"):
        resolve_source("some/thing")


def test_a_fingerprint_follows_what_counts(folder):
    source = str(folder)
    drawn, pretrained = (source_fingerprint(source, pretrained=p) for p in (False, True))
    assert drawn != pretrained
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert source_fingerprint(source, pretrained=False) == drawn
    assert source_fingerprint(source) != pretrained
    (folder / "README.md").write_text("words")
    (folder / "model.safetensors").write_bytes(b"weights")
    assert source_fingerprint(source) == pretrained
    (folder / "config.json").write_text("{}")
    assert source_fingerprint(source, pretrained=False) != drawn


def test_only_what_comes_from_elsewhere_has_a_version_of_its_own(folder):
    assert outside_versions({"model": {"name": "mlp"}}) == []
    vision = {"name": "torchvision", "architecture": "resnet18", "weights": None}
    assert outside_versions({"model": vision}) == []
    assert "torchvision" in outside_versions({"model": {**vision, "weights": "DEFAULT"}})[0]
    encoder = {"name": "transformers", "source": str(folder), "pretrained": True}
    assert outside_versions({"model": encoder}) == [source_fingerprint(str(folder))]
    assert outside_versions({"model": {"name": "torch.nn:Linear"}})
    with pytest.raises(ModuleNotFoundError):
        outside_versions({"model": {"name": "no_such_module:function"}})
