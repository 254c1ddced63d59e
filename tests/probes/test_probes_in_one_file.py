"""A probe of a third party is one file: named, checked, run, judged and shown like a built-in."""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness import plugins
from harness.cli.app import run
from harness.registry import PROBES
from harness.study import InputError, load_study

SURETY = '''
"""How sure networks are."""
from typing import ClassVar, Literal

from pydantic import Field

from harness.metrics import Metric
from harness.probes.base import Measured, Probe


class Surety(Probe):
    """How sure a network is of its answers on the validation split."""

    name: Literal["surety"]
    bins: int = Field(5, ge=2, le=50, description="of the histogram")

    metrics: ClassVar = (Metric("mean_log_surety", "maximize", "nats", "mean log surety"),)
    parts: ClassVar = ("counts",)

    def refusal(self, workload):
        """It needs classes."""
        return None if workload.data.kind == "class" else "needs classes"

    def measure(self, fitted):
        """The probabilities of the predicted classes."""
        import torch

        inputs = fitted.splits.validation.inputs
        with torch.no_grad():
            surest = fitted.network.eval()(inputs).softmax(dim=1).amax(dim=1)
        counts = torch.histc(surest, self.bins, 0, 1).long().numpy()
        return Measured({"mean_log_surety": float(surest.log().mean())}, {"counts": counts})

    def draw(self, shown, evidence):
        """A histogram for each arm."""
        from harness.figures._style import new_axes, new_figure, theme
        from harness.figures.base import Picture

        panels = []
        with theme():
            for one in shown:
                figure = new_figure(3, 2)
                axes = new_axes(figure, (0.5, 0.1, 0.5, 0.3))
                axes.bar(range(len(one.parts["counts"])), one.parts["counts"])
                axes.set_title(f"{one.arm}, seed {one.seed}")
                panels.append(figure)
        return Picture("", "How sure networks are", "Counts.", "Histograms.", tuple(panels))
'''
STUDY = """
study: sure
question: Does depth make networks surer?
workload:
  data: {name: digits, limit: 200}
  model: {name: mlp, depth: 1, width: 16}
  epochs: 8
factors:
  depth: {path: model.depth, levels: [0, 1]}
probes:
  - {name: surety, bins: 4}
seeds: 5
simple_baseline: none
claims:
  - {id: sure, says: They are fairly sure, metric: probe.mean_log_surety, of: {depth: 1}, above: -2}
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a package that registers a probe, by its metadata; return a folder to work in."""
    site = tmp_path / "site"
    info = site / "acme_surety-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "acme_surety.py").write_text(textwrap.dedent(SURETY))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-surety\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[harness.probes]\nsurety = acme_surety:Surety\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sure.yaml").write_text(STUDY)
    return tmp_path


def refusal(*changes):
    text = STUDY
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    Path("changed.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        load_study(Path("changed.yaml"))
    return str(error.value)


@pytest.mark.usefixtures("unmirrored")
def test_a_third_party_probe_is_treated_no_worse(installed, capsys):
    assert "surety" in PROBES.names()
    assert run(["list", "probes"]) == 0
    assert re.search(r"surety .*acme.surety", capsys.readouterr().out)
    assert run(["validate", "sure.yaml"]) == 0
    capsys.readouterr()
    assert run(["run", "sure.yaml", "--in-process", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    (claim,) = result["claims"]
    assert claim["verdict"] == "supported"
    assert -2 < claim["effect"] < 0
    report = Path(result["report"])
    page = report.read_text()
    assert "How sure networks are" in page
    assert "mean log surety" in page.lower()
    (image,) = report.parent.rglob("inside-surety.png")
    assert image.read_bytes().startswith(b"\x89PNG")
    assert run(["run", "sure.yaml", "--in-process", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trials"]["complete"] == 0


def test_what_a_study_asks_of_it_is_checked(installed):
    assert "did you mean 'surety'" in refusal(("surety, bins", "suretty, bins"))
    assert "did you mean 'bins'" in refusal(("bins: 4", "bin: 4"))
    assert "greater than or equal to 2" in refusal(("bins: 4", "bins: 1"))
    assert "did you mean 'probe.mean_log_surety'" in refusal(("probe.mean_log", "probe.mean_lag"))
    data = ("{name: digits, limit: 200}", "{name: series, source: sunspots}")
    assert "surety of arm 0 needs classes" in refusal(data)
    asked = "  - {name: surety, bins: 4}"
    assert "gives the same metrics as probes[0]" in refusal((asked, f"{asked}\n  - surety"))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('{"mean_log_surety": ', '{"mean_surety": ',
         "the probe surety measured mean_surety; it declares mean_log_surety"),
        ('{"counts": counts}', '{"count": counts}',
         "the probe surety measured the part count; it declares counts"),
        ("return Measured({", "return dict({", "`measure` of the probe surety returned dict"),
        ("float(surest.log().mean())", "'high'", "could not convert string to float: 'high'"),
    ],
)  # fmt: skip
def test_it_gives_what_it_declares_or_nothing_is_run(installed, capsys, before, after, said):
    module = installed / "site" / "acme_surety.py"
    assert before in SURETY
    text = SURETY.replace(before, after)
    if "dict(" in after:
        text = text.replace('}, {"counts": counts})', "})")
    module.write_text(text)
    sys.modules.pop("acme_surety", None)
    assert run(["validate", "--build", "sure.yaml"]) == 2
    found = capsys.readouterr().err
    assert said in found
    assert re.search(r"sure\.yaml:\d+:\d+: probes\[0\]: probes\.surety: ", found)


@pytest.mark.usefixtures("unmirrored")
def test_a_picture_that_fails_is_told_with_the_probe_and_the_line(installed, capsys):
    code = SURETY.replace("figure = new_figure(3, 2)", "figure = newest_figure(3, 2)")
    (installed / "site" / "acme_surety.py").write_text(code)
    sys.modules.pop("acme_surety", None)
    assert run(["run", "sure.yaml", "--in-process", "--json"]) == 1
    line = code[: code.index("figure = newest")].count("\n") + 1
    says = f"could not be drawn (probe surety: site/acme_surety.py:{line}: NameError: "
    assert says in capsys.readouterr().err


@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_a_changed_probe_of_a_third_party_is_measured_again(installed):
    """Each plan is made by a process of its own, which reads the code anew."""
    environment = {**os.environ, "PYTHONPATH": str(installed / "site")}

    def planned():
        done = subprocess.run(
            [sys.executable, "-m", "harness", "plan", "sure.yaml", "--json"],
            capture_output=True, text=True, check=True, env=environment,
        )  # fmt: skip
        return json.loads(done.stdout)["trials"]

    assert run(["run", "sure.yaml", "--in-process", "--json"]) == 0
    module = installed / "site" / "acme_surety.py"
    module.write_text(module.read_text() + "\n# a comment\n")
    found = planned()
    assert (found["done"], found["to_run"]) == (10, 0)
    module.write_text(module.read_text().replace("amax(dim=1)", "amax(dim=1) / 2"))
    assert planned()["done"] == 0


@pytest.mark.usefixtures("unmirrored")
def test_the_probe_of_the_documentation_works(installed, capsys):
    page = Path(__file__).parents[2] / "docs" / "extending.md"
    (code,) = re.findall(r"```python\n# acme/probes.py\n(.*?)```", page.read_text(), re.S)
    (installed / "site" / "acme_probes.py").write_text(code)
    (name,) = re.findall(r'name: Literal\["(\w+)"\]', code)
    (given,) = re.findall(r'Metric\("(\w+)"', code)
    (kind,) = re.findall(r"class (\w+)\(Showing\)", code)
    points = f"[harness.probes]\n{name} = acme_probes:{kind}\n"
    (installed / "site" / "acme_surety-1.0.dist-info" / "entry_points.txt").write_text(points)
    study = STUDY.replace("{name: surety, bins: 4}", name).replace("mean_log_surety", given)
    study = study.replace("above: -2", "above: 0.001")
    (installed / "sure.yaml").write_text(study)
    plugins._read.cache_clear()
    assert run(["run", "sure.yaml", "--in-process", "--json"]) == 0
    (claim,) = json.loads(capsys.readouterr().out)["claims"]
    assert claim["verdict"] == "supported"
    assert list(installed.rglob(f"inside-{name.replace('_', '-')}.png"))


# --- settings load without PyTorch ----------------------------------------------------------------
def test_probes_are_checked_without_what_measures_and_draws():
    ask = (
        "import sys; from harness.registry import PROBES; "
        "print([PROBES.find(n).__doc__ for n in PROBES.own()]); "
        "print({'torch', 'numpy', 'matplotlib', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "set()"


def test_no_two_metrics_of_probes_are_called_alike():
    """Labels of figures say what a metric means, not its name."""
    metrics = [one for name in PROBES.own() for one in PROBES.find(name).metrics]
    seen = [one.meaning for one in metrics if one.meaning]
    assert sorted(seen) == sorted(set(seen))
