"""The command `harness` without MLflow and pictures, which have tests of their own.

They take a third of the processor time of a run of a few trials.
"""

from importlib import import_module


def no_mirror(*_):
    """Take the place of the observer that sends records to MLflow."""
    from harness.run.observer import Observer

    return Observer()


def no_pictures(*_):
    """Take the place of what draws the figures of a report."""
    return []


def no_card(*_):
    """Take the place of what draws the card of a claim."""
    return b""


UNMIRRORED = {"harness.run.mirroring.MirrorObserver": no_mirror}
UNDRAWN = {
    "harness.report.view.draw": no_pictures,
    "harness.report.claims._pictures": no_pictures,
    "harness.report.answer_card.card_png": no_card,
}


if __name__ == "__main__":
    from harness.cli import main

    for place, instead in {**UNMIRRORED, **UNDRAWN}.items():
        module, _, name = place.rpartition(".")
        setattr(import_module(module), name, instead)
    main()
