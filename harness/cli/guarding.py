"""Commands that hold a study to its word: claims, register, verify."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import options
from harness.cli.documents import emit
from harness.cli.options import REPORTS, RESULTS
from harness.cli.results import told
from harness.errors import InputError, nearest

if TYPE_CHECKING:
    from harness.report import ProfileResult
    from harness.run.verification import Finding


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (claims, register_plan, verify):
        app.command(name=command.__name__.partition("_")[0])(command)


def claims(
    studies: Annotated[list[str] | None, typer.Argument(metavar="[STUDY...]")] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            metavar="KIND,...",
            help="end with status 1 if a claim is: supported, refuted, inconclusive, incomplete,"
            " changed (or written) after its evidence, exploratory",
        ),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write a JUnit file: a test for each claim")
    ] = None,
    claim: Annotated[
        str | None, typer.Option(metavar="ID", help="show only this claim, as a card")
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="write cards as Markdown, to paste them elsewhere")
    ] = False,
    picture: Annotated[
        Path | None,
        typer.Option("--png", metavar="FILE", help="with --claim: its card, 1200 by 630 pixels"),
    ] = None,
    results: options.Results = RESULTS,
    as_json: options.AsJson = False,
) -> int:
    """Show every claim with its verdict and its evidence, own and published, and count them.

    With --fail-on, claims guard a repository as tests do. With --claim or --markdown, each answer
    is a card: the number in words, its interval, the scale.
    """
    from harness.cli.junit import kinds_of, write_junit
    from harness.run.reports import left_out
    from harness.run.results import open_results

    kinds = _kinds(fail_on)
    at_hand = open_results(results)
    wanted = at_hand.named(studies)
    judged = at_hand.judged(wanted)
    faults = at_hand.faults if not studies else at_hand.faults_of(wanted)
    if as_json:
        _print_as_json(judged, results)
        faults = [*faults, *left_out(judged)]
    elif claim is not None or markdown or picture is not None:
        from harness.cli.answer_cards import print_cards

        print_cards(judged, claim, picture, markdown=markdown)
    else:
        _print(judged)
    if junit is not None:
        try:
            write_junit(junit, judged, faults, kinds)
        except OSError as error:
            raise InputError(f"--junit: '{junit}' cannot be written: {error.strerror}") from None
    status = told(faults, wanted)
    wrong = [v for r in judged for v in r.verdicts if kinds_of(v) & kinds]
    for verdict in wrong:
        found = ", ".join(sorted(kinds_of(verdict) & kinds))
        where = f"{verdict.study} ({verdict.profile})"
        typer.echo(f"harness: {where}: the claim {verdict.id} is {found}", err=True)
    return status or (1 if wrong else 0)


def register_plan(
    study: options.StudyFile,
    profile: options.Profile = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="default: registered/STUDY.PROFILE.yaml, where runs look for it"
        ),
    ] = None,
    results: options.Results = RESULTS,
    data_root: options.DataRoot = None,
) -> int:
    """Freeze the plan of a study in a small file, to be committed, tagged or uploaded.

    Write it before the run: the report then says whether the run kept to it, and names each
    difference.
    """
    from harness.api import plan as make_plan
    from harness.integrity import freeze
    from harness.run.finished import registered_file
    from harness.run.prepare import data_configs
    from harness.study import load_study

    planned = make_plan(load_study(study, profile), results=results, data=data_root)
    plan = planned.plan
    file = out or registered_file(plan.study.study, plan.profile)
    if file.exists():
        raise InputError(
            f"'{file}' is there already, and a registered plan is never changed; remove it, or"
            " choose another one with --out"
        )
    seen = planned.outlook.done.get("confirmation", 0)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(freeze(plan, seen), encoding="utf-8")
    except OSError as error:
        raise InputError(f"--out: '{file}' cannot be written: {error.strerror}") from None
    typer.echo(f"{file} is written; commit, tag or upload it before the run")
    if seen:
        trials = "trial has" if seen == 1 else "trials have"
        typer.echo(f"{seen} confirmation {trials} a record already, and the file says so")
    if len(plan.fingerprints) < len(data_configs(plan)):
        typer.echo("not all of its data are on this machine, so that fingerprints are missing")
    return 0


def verify(
    studies: Annotated[list[str] | None, typer.Argument(metavar="[STUDY...]")] = None,
    replay: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="train so many trials again, drawn by lot, and compare them"
        ),
    ] = None,
    registered: Annotated[
        Path | None, typer.Option(metavar="FILE", help="compare with a registered plan as well")
    ] = None,
    results: options.Results = RESULTS,
    out: options.Reports = REPORTS,
    data_root: options.DataRoot = None,
    as_json: options.AsJson = False,
) -> int:
    """Judge records again, and compare verdicts, digests, pages and published files with them.

    Ends with status 1 where anything differs.
    """
    from harness.integrity import read_registration
    from harness.run import verification
    from harness.run.results import open_results

    registration = read_registration(registered) if registered is not None else None
    at_hand = open_results(results)
    wanted = at_hand.named(studies)
    found = list(verification.verify(at_hand, wanted, out))
    if registration is not None:
        found += verification.kept_to(registration, at_hand.judged(wanted))
    if not as_json:
        _say(found)
    for finding in verification.replay(at_hand, wanted, replay, data_root) if replay else ():
        found.append(finding)
        if not as_json:
            _say([finding])
    differing = sum(finding.differs for finding in found)
    if as_json:
        rows = [{"study": f.study, "says": f.says, "differs": f.differs} for f in found]
        emit({"differs": differing, "found": rows})
    else:
        typer.echo(f"{differing or 'nothing'} {'differ' if differing > 1 else 'differs'}")
    return 1 if differing else 0


def _say(found: Sequence[Finding]) -> None:
    for finding in found:
        typer.echo(f"{'differs' if finding.differs else 'fine':<8} {finding.says}")


def _kinds(text: str | None) -> set[str]:
    """Read the kinds of claims on which the command fails."""
    from harness.cli.junit import KINDS

    found = {kind.strip() for kind in text.split(",")} if text is not None else set()
    for kind in sorted(found - set(KINDS)):
        known = ", ".join(KINDS)
        raise InputError(f"--fail-on: '{kind}' is not one of {known}{nearest(kind, KINDS)}")
    return found


def _print(judged: Sequence[ProfileResult]) -> None:
    from harness.cli.verdict_table import print_counts, print_verdicts

    for result in judged:
        if result.verdicts:
            origin = ", published records" if result.provenance.published else ""
            if result.imported:
                origin += ", imported runs"
            typer.echo(f"\n{result.study} ({result.profile}{origin})")
            print_verdicts(result.verdicts)
    typer.echo("")
    print_counts(judged)


def _print_as_json(judged: Sequence[ProfileResult], results: Path) -> None:
    from harness.api.results import Result

    found = [Result.of_profile(result, results).claims_as_dicts() for result in judged]
    emit([claim for claims in found for claim in claims])
