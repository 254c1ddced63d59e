"""Judge the published records; show which verdicts other rules give.

Run ``python benchmarks/published_verdicts.py --out before.json`` with one version of the harness
and ``python benchmarks/published_verdicts.py --against before.json`` with another: the second
prints a Markdown table of every claim whose verdict differs, with the numbers of both.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from harness.evidence import gather
from harness.judge import judge
from harness.publish import Published

FIELDS = ("verdict", "p_corrected", "effect", "ci_low", "ci_high", "reason")


def verdicts(folder: Path) -> dict[str, dict[str, Any]]:
    """Verdicts of all published records, by study, profile and claim."""
    found = {}
    for file in Published(folder).of():
        for verdict in judge(gather(file, file.execution)):
            key = f"{verdict.study} ({verdict.profile}): {verdict.id}"
            found[key] = {name: getattr(verdict, name) for name in FIELDS}
    return found


def numbers(one: dict[str, Any]) -> str:
    """Verdict, effect, interval and p of a claim."""
    shown = [one[name] for name in ("effect", "ci_low", "ci_high", "p_corrected")]
    effect, low, high, p = ("–" if number is None else f"{number:.3g}" for number in shown)
    return f"{one['verdict']}: {effect} [{low}, {high}], p = {p}"


def main() -> None:
    """Write the verdicts, or the table of those that differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("results/published"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--against", type=Path)
    arguments = parser.parse_args()
    now = verdicts(arguments.folder)
    if arguments.out:
        arguments.out.write_text(json.dumps(now, indent=1), encoding="utf-8")
    if arguments.against:
        before = json.loads(arguments.against.read_text(encoding="utf-8"))
        print("| claim | before | now | why |\n| --- | --- | --- | --- |")
        for key, one in now.items():
            if key in before and before[key]["verdict"] != one["verdict"]:
                print(f"| {key} | {numbers(before[key])} | {numbers(one)} | {one['reason']} |")


if __name__ == "__main__":
    main()
