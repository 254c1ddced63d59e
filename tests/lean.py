"""The command `harness` without MLflow and pictures, which have tests of their own.

They take a third of the processor time of a run of a few trials.
"""

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


if __name__ == "__main__":
    harness.run.mirroring.MirrorObserver = no_mirror
    harness.report.view.draw = no_pictures
    main()
