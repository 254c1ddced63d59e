"""The mean of word vectors, and a linear layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form
from harness.models.base import Network, Width, Work, readout

if TYPE_CHECKING:
    from torch import nn


class BagOfEmbeddings(Network):
    """The mean of the vectors of all tokens, whatever their order, and a linear layer.

    The classifier of fastText (Joulin et al. 2017) without its pairs of words. Padding does not
    count.
    """

    name: Literal["bag_of_embeddings"]
    width: Width = Field(64, description="numbers of each token's vector")

    reads: ClassVar = ("tokens",)
    shows: ClassVar = ()

    def build(self, form: Form) -> nn.Sequential:
        """Build the vectors, drawn from N(0, 1 / width), and the layer."""
        from torch import nn

        from harness.layers.blocks import initialize
        from harness.layers.sequences import PADDING

        assert form.vocabulary is not None
        vectors = nn.EmbeddingBag(form.vocabulary, self.width, mode="mean", padding_idx=PADDING)
        nn.init.normal_(vectors.weight, std=self.width**-0.5)
        last = nn.Linear(self.width, form.outputs)
        initialize(last, "auto", "identity")
        return nn.Sequential(vectors, last)

    def work(self, form: Form) -> Work:
        """See `Network`."""
        return Work(6, float(form.shape[0] * self.width) + readout(form, self.width))

    @property
    def has_hidden_layer(self) -> bool:
        """See `Network`: the vectors are weights of its inputs."""
        return False
