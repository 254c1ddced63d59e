"""The `harness` command: its sub-commands, and what an error becomes."""

from __future__ import annotations

import os
import sys

import typer

from harness.cli import results, studies
from harness.study.errors import InputError

DONE, SOME_FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="harness",
    help="Ablation studies of deep learning with verdicts that can be trusted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
studies.register(app)
results.register(app)


def main() -> None:
    """Run the command line and end with its exit status.

    The working directory is searched last for modules, so that a study can name your own code.
    """
    sys.path.append(os.getcwd())
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status; say what is wrong on standard error."""
    from harness.cluster.executor import ClusterError
    from harness.pretrained import WeightsMissingError
    from harness.store import StoreError
    from harness.workloads.sources import DataMissingError

    try:
        status = app(arguments, standalone_mode=False)
    except (InputError, StoreError, DataMissingError, WeightsMissingError) as error:
        _complain(error)
        return WRONG_INPUT
    except ClusterError as error:
        _complain(error)
        return SOME_FAILED
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except Exception as error:
        if hasattr(error, "format_message"):  # a mistake in the command line itself
            sys.stderr.write(f"harness: {error.format_message()}\n")
            return WRONG_INPUT
        raise
    if status == INTERRUPTED:
        sys.stderr.write("harness: interrupted; everything recorded is kept, run again to go on\n")
    return status if isinstance(status, int) else DONE


def _complain(error: Exception) -> None:
    for line in str(error).splitlines():
        sys.stderr.write(f"harness: {line}\n")
