"""Word vectors from texts alone: each word predicts the words around it.

Mikolov et al. 2013, Efficient estimation of word representations in vector space, and Distributed
representations of words and phrases and their compositionality.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form, Kind
from harness.metrics import Metric
from harness.models.bag_of_embeddings import BagOfEmbeddings
from harness.tasks._unsupervised import unused_part
from harness.tasks.base import Batch, Builder, State, Task

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.workloads.settings import TrialSettings

TEXTS = 256
"""That are measured at once."""


class SkipGram(Task):
    """Learn a vector for each word, from which the words around it can be predicted (skip-gram).

    The labels are not learned from. The softmax is over all words, without negative samples, as
    vocabularies here are small; nearer words count more, as if each window were drawn between 1 and
    `window`. As a stage it gives its vectors to another `bag_of_embeddings`.
    """

    name: Literal["skip_gram"]
    window: int = Field(4, ge=1, le=1000, description="words on each side that are predicted")

    targets: ClassVar[tuple[Kind, ...]] = ("class", "numbers")
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("loss", "minimize", "nats", "mean cross entropy of a word, given one near it"),
    )
    selects: ClassVar[str] = "loss"
    defined_by: ClassVar[Mapping[str, tuple[str, ...]]] = {"loss": ("window",)}
    gives: ClassVar[tuple[str, ...]] = ("weights", "embeddings")

    def refusal(self, workload: Any) -> str | None:
        """Say what is of no use here, or that there are no words or no vectors of them."""
        if (said := unused_part(workload, self.name)) is not None:
            return said
        if workload.data.form.vocabulary is None:
            return f"the task skip_gram reads words; inputs of {workload.data.name} are numbers"
        if not isinstance(workload.model, BagOfEmbeddings):
            return (
                "the task skip_gram needs `model: bag_of_embeddings`, whose vectors are those of "
                f"words; the model is {workload.model.name}"
            )
        return None

    def build(
        self, settings: TrialSettings, form: Form, network: Builder
    ) -> Mapping[str, nn.Module]:
        """Return a network that reads one word and scores all of them."""
        assert form.vocabulary is not None
        of_a_word = Form((1,), form.vocabulary, "class", form.vocabulary)
        return {"model": network(settings.model, of_a_word, "model")}

    def step(self, state: State, batch: Batch) -> Mapping[str, Tensor]:
        """Take one step down the mean loss of the batch's pairs of words."""
        total, weight = self._loss(state, batch.inputs)
        loss = total / weight
        state.update("model", loss)
        return {"loss": loss.detach()}

    def evaluate(self, state: State, split: Batch) -> Mapping[str, float]:
        """Return the mean loss of all pairs of a split."""
        parts = [self._loss(state, texts) for texts in split.inputs.split(TEXTS)]
        return {"loss": float(sum(p[0] for p in parts) / sum(p[1] for p in parts))}

    def _loss(self, state: State, texts: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weighted sum of the losses of all pairs of words, and the weights' sum.

        Args:
            state: of the training.
            texts: token ids (batch, steps).
        """
        from harness.layers.sequences import PADDING

        words, place = texts.unique(return_inverse=True)  # a word's scores are always the same
        scores = state.outputs("model", words[:, None]).log_softmax(dim=1)
        total, weight = scores.new_zeros(()), scores.new_full((), 1e-9)
        for distance in range(1, min(self.window, texts.shape[1] - 1) + 1):
            share = (self.window - distance + 1) / self.window
            left, right = place[:, :-distance], place[:, distance:]
            there = (words[left] != PADDING) & (words[right] != PADDING)
            left, right = left[there], right[there]
            total = total - share * scores[left, words[right]].sum()
            total = total - share * scores[right, words[left]].sum()
            weight = weight + share * 2 * len(left)
        return total, weight
