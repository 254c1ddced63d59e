"""Transformers' Trainer behind `train(config, report)`, on one device or on several."""

import tempfile

import torch
from torch import distributed
from torch.utils.data import Dataset
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)


class Rows(Dataset):
    """Token ids and labels, as the Trainer wants them."""

    def __init__(self, ids, labels):
        self.ids, self.labels = torch.tensor(ids), torch.tensor(labels)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, place):
        ids = self.ids[place]
        mask = (ids != 0).long()
        return {"input_ids": ids, "attention_mask": mask, "labels": self.labels[place]}


class Report(TrainerCallback):
    """Tell the accuracy after each epoch."""

    def __init__(self, report, test):
        self.report, self.test, self.trainer = report, test, None

    def on_evaluate(self, args, state, control, metrics=None, **_):
        """Report what was evaluated, and what the test split says if it may be seen."""
        found = {f"validation.{name}": metrics[f"eval_{name}"] for name in ("loss", "accuracy")}
        if self.test is not None:
            found["test.accuracy"] = self.trainer.predict(self.test).metrics["test_accuracy"]
        self.report(found)


def accuracy(prediction):
    """Return the accuracy of predictions, as `compute_metrics` does."""
    return {"accuracy": (prediction.predictions.argmax(-1) == prediction.label_ids).mean()}


def train(config, report):
    """Train a small BERT with the Trainer on the splits that the study gives."""
    set_seed(config["seed"])
    # with `resources: {workers: 2}` the Trainer finds the other worker, and each has half a batch
    workers = distributed.get_world_size() if distributed.is_initialized() else 1
    data = {part: pair and Rows(*pair) for part, pair in config["data"].items()}
    model = BertForSequenceClassification(
        BertConfig(vocab_size=config["vocabulary"], hidden_size=16, num_hidden_layers=1,
                   num_attention_heads=2, intermediate_size=32, max_position_embeddings=16,
                   hidden_dropout_prob=config["dropout"],
                   attention_probs_dropout_prob=config["dropout"])
    )  # fmt: skip
    callback = Report(report, data["test"])
    with tempfile.TemporaryDirectory() as folder:
        callback.trainer = Trainer(
            model,
            TrainingArguments(
                folder, num_train_epochs=config["epochs"],
                per_device_train_batch_size=32 // workers,
                average_tokens_across_devices=False,  # else the loss counts once for each worker
                learning_rate=5e-3, warmup_steps=config["warmup"], eval_strategy="epoch",
                save_strategy="no", logging_strategy="no", report_to=[], disable_tqdm=True,
                use_cpu=True, seed=config["seed"],
            ),
            train_dataset=data["train"],
            eval_dataset=data["validation"],
            compute_metrics=accuracy,
            callbacks=[callback],
        )  # fmt: skip
        callback.trainer.train()
