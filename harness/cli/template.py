"""A study to start from."""

from __future__ import annotations

import re
from pathlib import Path

from harness.study.errors import InputError

_STUDY = """\
# yaml-language-server: $schema=study.schema.json
study: {name}
question: Which optimizer trains this network best?

workload:                       # what every arm has in common
  data: digits                  # `harness list data` shows what there is
  model: {{name: mlp, depth: 2, width: 64}}
  optimizer: {{name: adam, lr: 1.0e-3}}
  epochs: 10
  batch_size: 64

factors:                        # what is varied
  optimizer:
    levels:                     # a level may set several things at once
      adam: {{optimizer: {{name: adam}}}}
      momentum: {{optimizer: {{name: sgd, lr: 1.0e-2, momentum: 0.9}}}}
design: one-at-a-time

search:                         # every arm is tuned with the same budget
  space: {{optimizer.lr: {{log: [1.0e-4, 1.0e-1]}}}}
  candidates: 4
seeds: 8                        # then retrained on seeds that the search never saw

claims:                         # written before the run
  - id: adam-differs-from-momentum
    says: Adam and SGD with momentum end with different accuracy
    metric: test.accuracy
    contrast: {{optimizer: [adam, momentum]}}
    differs_by: 0.005
"""


def write_study(name: str, folder: Path) -> Path:
    """Write the study; refuse a bad name or a file that is there already."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", name):
        raise InputError(f"'{name}' is no name for a study; use a-z, 0-9 and -, at most 64")
    file = folder / f"{name}.yaml"
    if file.exists():
        raise InputError(f"'{file}' is there already; choose another name")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(_STUDY.format(name=name))
    except OSError as error:
        raise InputError(f"'{file}' cannot be written: {error.strerror}") from None
    return file
