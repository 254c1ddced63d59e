"""What probes show of made-up networks, put beside the trials of a finished study."""

from dataclasses import replace

import numpy as np

from harness.evidence import Evidence
from harness.probes.base import as_details
from harness.registry import PROBES

CLASSES, STEPS = 10, 6
NAMES = {
    "inside-confusion-matrix",
    "inside-embedding",
    "inside-grad-cam",
    "inside-first-layer-filters",
    "inside-attention-maps",
}


def with_artifacts(evidence: Evidence) -> Evidence:
    """Return the evidence with artifacts of every probe for the first seed of its first arms."""
    rows = evidence.confirmation
    details = dict(evidence.details)
    arms = [arm.name for arm in evidence.plan.arms][:2]
    for arm, seed, id_ in zip(rows["arm"], rows["seed"], rows["trial_id"], strict=True):
        if arm in arms:
            shown = artifacts_of(seed) if seed == 0 else {"confusion_matrix": _confusion(seed)}
            for probe, parts in shown.items():
                details[id_] = {**details[id_], **as_details(PROBES.find(probe), parts)}
    probes = [PROBES.find(name)(name=name) for name in artifacts_of()]
    study = evidence.plan.study
    study = study.model_copy(update={"probes": [*study.probes, *probes]})
    return replace(evidence, details=details, plan=replace(evidence.plan, study=study))


def artifacts_of(seed=0):
    generator = np.random.default_rng(seed)
    classes = np.arange(40) % CLASSES
    said = np.where(np.arange(40) % 7 == 0, (classes + 1) % CLASSES, classes)
    weights = np.tril(generator.random((2, STEPS, STEPS)) + 0.01)
    attended = (1000 * weights / weights.sum(axis=-1, keepdims=True)).astype(int)
    return {
        "confusion_matrix": _confusion(seed),
        "embedding": {
            "places": generator.normal(size=(40, 2)).round(2),
            "classes": classes,
            "predicted": said,
            "measures": np.array([0.875, 0.96]),
        },
        "grad_cam": {
            "images": generator.integers(0, 256, size=(5, 1, 8, 8)),
            "maps": np.concatenate([generator.integers(0, 256, (4, 4, 4)), np.zeros((1, 4, 4))]),
            "classes": np.array([0, 1, 2, 3, 4]),
            "predicted": np.array([0, 1, 2, 8, 9]),
            "surety": np.array([0.999, 0.5, 0.75, 0.9, 0.31]),
        },
        "first_layer_filters": {
            "filters": generator.integers(-127, 128, size=(7, 1, 3, 3)),
            "scale": np.array([0.71, 16.0]),
        },
        "attention_maps": {
            "maps": attended,
            "heads": np.array([[1, 1], [1, 2]]),
            "steps": np.array([STEPS, 9]),
            "tokens": ["<b>", " ", "$x_1$", "&", "\n", "naive"],
        },
        "generated_text": {
            "temperatures": np.array([0.5, 1.0]),
            "texts": [
                "Once </blockquote>",
                " a ``` time\n# no heading",
                "<script>alert(1)</script>",
            ],
        },
    }


def _confusion(seed):
    counts = 9 * np.eye(CLASSES, dtype=int)
    counts[3, 8] = 2 + seed % 2
    return {"counts": counts}
