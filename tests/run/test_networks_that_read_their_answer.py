"""A network of the next token is tried before it is trained: whether it sees what comes."""

import pytest
import yaml

from harness.cli.app import run as command

TEXT = {"name": "characters", "source": "python", "length": 16, "limit": 200, "test_limit": 50}
CODE = """\
import torch
from torch import nn


class Reader(nn.Module):
    def __init__(self, vocabulary, outputs, later):
        super().__init__()
        self.embed, self.last = nn.Embedding(vocabulary, 8), nn.Linear(8, outputs)
        self.later = later

    def forward(self, tokens):
        seen = self.embed(tokens)
        before = seen.cumsum(1)
        return self.last(before + self.later * (seen.sum(1, keepdim=True) - before))


def reader(shape, outputs, vocabulary=100, later=1.0):
    return Reader(vocabulary, outputs, later)
"""


@pytest.fixture
def built(tmp_path, monkeypatch, capsys):
    """Try the networks of a study; return the status and what was said of it."""

    def build(data, **arms):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "own_readers.py").write_text(CODE)
        text = {"study": "s", "question": "q?", "seeds": 5, "arms": arms,
                "workload": {"data": data, "model": "recurrent", "epochs": 1}}  # fmt: skip
        (tmp_path / "s.yaml").write_text(yaml.safe_dump(text))
        status = command(["validate", "--build", "s.yaml"])
        return status, capsys.readouterr().err

    return build


def own(later):
    return {"model": {"name": "own_readers:reader", "settings": {"later": later}}}


def config(kind, **more):
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    return {"model": {"name": "causal_lm", "config": {"model_type": kind, **sizes, **more}}}


def test_ones_own_network_that_sees_later_tokens_is_refused(built):
    status, said = built(TEXT, mine=own(1.0))
    assert status != 0
    assert "arms.mine.model: own_readers:reader reads the tokens that it is to predict" in said
    assert built(TEXT, mine=own(0.0)) == (0, "")


def test_so_is_an_encoder_of_the_hub(built):
    pytest.importorskip("transformers")
    data = {**TEXT, "vocabulary": "bytes"}
    status, said = built(data, bert=config("bert", intermediate_size=32))
    assert status != 0
    assert "arms.bert.model: causal_lm reads the tokens that it is to predict" in said
    assert built(data, llama=config("llama", intermediate_size=32))[0] == 0


def test_a_source_may_be_read_both_ways_and_a_target_not(built):
    pairs = {"name": "pairs", "length": 4, "examples": 100, "test": 20}
    encoder = {"model": {"name": "encoder_decoder", "cell": "gru", "width": 8}}
    status, said = built(pairs, encoder=encoder, mine=own(1.0))
    assert status != 0
    assert "arms.mine.model" in said
    assert "encoder_decoder" not in said
    assert built(pairs, encoder=encoder, mine=own(0.0))[0] == 0


def test_tags_may_be_told_from_what_follows(built):
    assert built({"name": "tagging", "offset": 1}, mine=own(1.0))[0] == 0
