"""Suites of the Hugging Face hub, from a cache."""

import pytest

from harness.data import data_of
from harness.study import load_study


def test_a_suite_of_the_hub_is_read_from_its_cache(tmp_path, monkeypatch):
    """As the library keeps it after a download; the network is never asked."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("films", "books"):
        (tmp_path / name).mkdir()
        for part in ("train", "test"):
            rows = [f"a {'fine' if i % 2 else 'dull'} {name} {i},{i % 2}\n" for i in range(20)]
            (tmp_path / name / f"{part}.csv").write_text("text,label\n" + "".join(rows))
        datasets.load_dataset(str(tmp_path / name), cache_dir=str(tmp_path / "cache"))
        (tmp_path / "cache" / name).rename(tmp_path / "cache" / f"acme___{name}")
    suite = "suite: mine\nabout: Mine\ndata:\n" + "".join(
        f"  {name}: {{name: huggingface, source: acme/{name}, input: text, length: 6}}\n"
        for name in ("films", "books")
    )
    (tmp_path / "mine.yaml").write_text(suite)
    (tmp_path / "s.yaml").write_text(
        "study: s\nquestion: q\nseeds: 2\ndesign: benchmark\n"
        "workload: {data: docstrings, model: bag_of_embeddings, epochs: 1}\n"
        "factors:\n  model: {levels: {a: {model: bag_of_embeddings}, b: {model: recurrent}}}\n"
        "  data: {suite: mine.yaml}\n"
    )
    found = {
        str(arm.levels["data"]): data_of(arm.workload["data"]).load_offline(tmp_path)
        for arm in load_study(tmp_path / "s.yaml").arms
    }
    assert sorted(found) == ["books", "films"]
    assert all(len(one.examples) == len(one.test) == 20 for one in found.values())
