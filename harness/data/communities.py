"""Graphs of communities: which one does each node belong to?"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from harness.data._dataset import LOCKED_SEED, Dataset, Examples, Handling
from harness.data.base import Data
from harness.data_spec import Form
from harness.lazy import numpy as np


class Communities(Data):
    """Graphs of a stochastic block model, whose nodes say with noise which community they are of.

    Each example is a graph. Two nodes of one community are joined with the chance `inside`, two of
    different ones with `between` (Holland et al. 1983). A node's features are a 1 at the number of
    its community and 0 at the others, with normal noise on all.
    """

    name: Literal["communities"]
    nodes: int = Field(30, ge=4, le=1000, description="of a graph")
    communities: int = Field(3, ge=2, le=100, description="of a graph; each node's is drawn")
    inside: float = Field(0.4, ge=0, le=1, description="chance of an edge within a community")
    between: float = Field(0.05, ge=0, le=1, description="chance of an edge between two")
    noise: float = Field(1.0, ge=0, description="standard deviation, on each feature")
    examples: int = Field(600, ge=20, description="graphs for training and validation")
    test: int = Field(200, ge=10, description="graphs of the test split")

    rule: ClassVar[str] = "communities-1"
    cases: ClassVar = ({}, {"nodes": 9, "communities": 2, "noise": 0.5})

    @property
    def form(self) -> Form:
        """A row for each node: its edges to all nodes, then its features; and its community."""
        return Form((self.nodes, self.nodes + self.communities), self.communities, "sequence")

    def sizes(self) -> tuple[int, int]:
        """See `Data`."""
        return self.examples, self.test

    def load(self, root: Path) -> Dataset:
        """Draw the graphs."""
        del root
        generator = np.random.default_rng(LOCKED_SEED)
        parts = [self._graphs(generator, count) for count in self.sizes()]
        handling = Handling("random", normalization="none")
        return Dataset("communities", self.form, parts[0], parts[1], handling)

    def _graphs(self, generator: np.random.Generator, count: int) -> Examples:
        members = generator.integers(self.communities, size=(count, self.nodes))
        same = members[:, :, None] == members[:, None, :]
        drawn = generator.random(same.shape) < np.where(same, self.inside, self.between)
        upper = np.triu(drawn, 1)
        edges = upper | upper.transpose(0, 2, 1)
        features = np.eye(self.communities)[members]
        features += self.noise * generator.standard_normal(features.shape)
        inputs = np.concatenate([edges, features], axis=2).astype(np.float32)
        return Examples(inputs, members.astype(np.int64))
