"""A LightningModule and its Trainer, behind `train(config, report)`."""

import logging

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)


class Module(lightning.LightningModule):
    """A classifier as Lightning has it."""

    def __init__(self, features: int, classes: int, width: int):
        super().__init__()
        hidden = [nn.Linear(features, width), nn.ReLU()] if width else []
        self.network = nn.Sequential(*hidden, nn.Linear(width or features, classes))

    def training_step(self, batch, index):
        """Return the loss of a batch."""
        inputs, targets = batch
        return nn.functional.cross_entropy(self.network(inputs), targets)

    def validation_step(self, batch, index):
        """Log the accuracy."""
        inputs, targets = batch
        accuracy = (self.network(inputs).argmax(1) == targets).float().mean()
        self.log("accuracy", accuracy, batch_size=len(targets))

    def configure_optimizers(self):
        """Return the optimizer."""
        return torch.optim.Adam(self.parameters(), lr=1e-2)


class Report(lightning.Callback):
    """Tell the accuracy after each epoch."""

    def __init__(self, report, test):
        self.report, self.test = report, test

    def on_validation_epoch_end(self, trainer, module):
        """Report what was logged, and what the test split says if it may be seen."""
        if trainer.sanity_checking:
            return
        found = {"validation.accuracy": trainer.callback_metrics["accuracy"]}
        if self.test is not None:
            inputs, targets = self.test
            with torch.no_grad():
                right = module.network(inputs).argmax(1) == targets
            found["test.accuracy"] = right.float().mean()
        self.report(found)


def train(config, report):
    """Train with Lightning's Trainer on the splits that the study gives."""
    data = {
        part: None if pair is None else tuple(map(torch.tensor, pair))
        for part, pair in config["data"].items()
    }
    loaders = [
        DataLoader(TensorDataset(*data[part]), batch_size=32, shuffle=part == "train")
        for part in ("train", "validation")
    ]
    features, classes = data["train"][0].shape[1], int(data["train"][1].max()) + 1
    trainer = lightning.Trainer(
        max_epochs=config["epochs"], accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        callbacks=[Report(report, data["test"])],
    )  # fmt: skip
    trainer.fit(Module(features, classes, config["width"]), *loaders)
