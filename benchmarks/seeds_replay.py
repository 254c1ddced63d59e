"""Would seeds in instalments have given the same verdicts? Answered from published evidence.

    python -m benchmarks.seeds_replay RESULTS

Every published study of more than eight seeds is judged again as if it had declared instalments:
eight seeds, then four more at a time, up to the seeds that it has. A claim that is decided keeps
its verdict, and only the arms of the others go on.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.evidence import Evidence, gather
from harness.judge.interim import arms_to_continue, judge
from harness.run.results import open_results
from harness.study.running import SequentialSeeds

START, STEP = 8, 4


def in_instalments(evidence: Evidence) -> Evidence:
    """Return the same evidence for a study that had declared instalments."""
    study = evidence.plan.study
    seeds = SequentialSeeds(start=START, step=STEP, max=study.most_seeds)
    other = study.model_copy(update={"seeds": seeds})
    return replace(evidence, plan=replace(evidence.plan, study=other))


def trainings(evidence: Evidence) -> int:
    """Count the confirmation trials of a study in instalments."""
    plan = evidence.plan
    going, before, count = {arm.name for arm in plan.all_arms}, 0, 0
    for look in plan.study.looks:
        count += len(going) * (look - before)
        before = look
        going = arms_to_continue(evidence, look)
    return count


def main(arguments: Sequence[str] | None = None) -> None:
    """Judge every published study both ways; print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    options = parser.parse_args(arguments)
    print("| study | seeds | trainings saved | verdicts that are the same | other verdicts |")
    print("|---" * 5 + "|")
    total: Counter[str] = Counter()
    for entry in open_results(options.results).entries():
        name = f"{entry.execution.study} ({entry.execution.profile})"
        try:
            evidence = gather(entry.source, entry.execution)
        except Exception as error:  # of another version; the others are counted
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        most = evidence.plan.study.most_seeds
        if most <= START or len(evidence.plan.study.looks) > 1 or not evidence.plan.study.claims:
            continue
        other = in_instalments(evidence)
        pairs = list(zip(judge(evidence), judge(other), strict=True))
        changed = [f"{a.id}: {b.verdict} instead of {a.verdict}"
                   for a, b in pairs if a.verdict != b.verdict]  # fmt: skip
        whole, then = most * len(evidence.plan.all_arms), trainings(other)
        total += Counter(whole=whole, then=then, claims=len(pairs), changed=len(changed))
        same = f"{len(pairs) - len(changed)} of {len(pairs)}"
        saved = f"{100 * (1 - then / whole):.0f} %"
        print(f"| {name} | {most} | {saved} | {same} | {'; '.join(changed) or '–'} |", flush=True)
    saved = f"{100 * (1 - total['then'] / total['whole']):.0f} %"
    same = f"{total['claims'] - total['changed']} of {total['claims']}"
    print(f"| all | | {saved} | {same} | {total['changed']} |")


if __name__ == "__main__":
    main()
