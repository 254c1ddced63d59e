"""The command `harness` without MLflow and pictures, which have tests of their own.

They take a third of the processor time of a run of a few trials.
"""

import harness.report.answer_card
import harness.report.claims
import harness.report.view
import harness.run.mirroring
from harness.cli import main
from harness.run.observer import Observer


def no_mirror(*_):
    """Take the place of the observer that sends records to MLflow."""
    return Observer()


def no_pictures(*_):
    """Take the place of what draws the figures of a report."""
    return []


def no_card(*_):
    """Take the place of what draws the card of a claim."""
    return b""


if __name__ == "__main__":
    harness.run.mirroring.MirrorObserver = no_mirror
    harness.report.view.draw = harness.report.claims._pictures = no_pictures
    harness.report.answer_card.card_png = no_card
    main()
