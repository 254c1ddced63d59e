"""What a part of a study file is for, and a line that is right: to learn from a mistake."""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import Problem
from harness.study.inherit import KEY as EXTENDS
from harness.study.matrix import KEY as MATRIX
from harness.study.model import Study

EXAMPLES = {
    "study": "study: my-question",
    "question": "question: Does the activation matter?",
    "workload": "workload: {data: digits, model: {name: mlp, depth: 2}, epochs: 10}",
    "simple_baseline": "simple_baseline: none",
    "factors": "factors: {activation: {path: model.activation, levels: [relu, tanh]}}",
    "design": "design: one-at-a-time",
    "arms": "arms: {linear: {model.depth: 0}}",
    "search": "search: {space: {optimizer.lr: {log: [1.0e-4, 1.0e-1]}}, candidates: 8}",
    "pretraining": "pretraining: {source: {data.classes: [0, 1, 2, 3, 4]}}",
    "stages": "stages: {large: {model.width: 512}}",
    "seeds": "seeds: 8",
    "probes": "probes: [gradient_norms, {name: step_time, steps: 100}]",
    "claims": "claims: [{id: relu-wins, says: ReLU beats tanh, metric: test.accuracy, "
    "contrast: {activation: [relu, tanh]}, greater_by: 0.01}]",
    "alpha": "alpha: 0.05",
    "resources": "resources: {cpus: 2}",
    "profiles": "profiles: {quick: {workload.epochs: 2, seeds: 6}}",
    MATRIX: "matrix: {data: {digits: {}, wine: {workload.data: {name: table, source: wine}}}}",
    EXTENDS: "extends: activations",
}


def explain_problem(problem: Problem) -> list[str]:
    """Return lines that show a mistake in its file, what the part is for, and one that is right."""
    lines = _excerpt(problem)
    key = re.split(r"[.\[]", problem.path, maxsplit=1)[0]
    field = Study.model_fields.get(key)
    if field is not None and field.description:
        lines.append(f"  {key}: {field.description}")
    if key in EXAMPLES:
        lines.append(f"  for example: {EXAMPLES[key]}")
    return lines


def _excerpt(problem: Problem) -> list[str]:
    """Return the line of a mistake with a mark below its place."""
    if problem.line is None or problem.column is None or not Path(problem.file).is_file():
        return []
    text = Path(problem.file).read_text(encoding="utf-8", errors="replace").splitlines()
    if problem.line > len(text):
        return []
    shown = f"  {problem.line} | "
    return [shown + text[problem.line - 1], " " * (len(shown) + problem.column - 1) + "^"]
