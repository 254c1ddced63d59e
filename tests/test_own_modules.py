"""What identifies a user's own code, and what of it a trial can import."""

import importlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from sharing import lean

from harness.errors import InputError
from harness.own import imports as own_imports
from harness.own import lookup
from harness.own.lookup import CodeMissingError, look_beside
from harness.own.reach import reach, read_source, source_version
from harness.run.study_run import RunOptions, run_study
from harness.store import open_store
from harness.study import load_study

CASES = Path(__file__).parent / "cases"
EMPTY = ""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder of its own, and a process that holds nothing of the user's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    look_beside([])
    yield tmp_path
    for name in [*own_imports._loaded, *own_imports._covered]:
        sys.modules.pop(name, None)
    own_imports._loaded.clear()
    own_imports._covered.clear()


def write(**files):
    """Write modules; two underscores stand for a folder."""
    for name, text in files.items():
        file = Path(*name.split("__")).with_suffix(".py")
        if name.endswith("__init"):
            file = file.with_name("__init__.py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))


# --- what is reached -----------------------------------------------------------------------------
REACHED = {
    "import": ({"net": "import a", "a": EMPTY, "b": EMPTY}, "a"),
    "a chain and a cycle": ({"net": "import a", "a": "import b", "b": "import net, a"}, "a b"),
    "dotted": (
        {"net": "import p.q.r", "p__init": EMPTY, "p__q__init": "import b", "p__q__r": EMPTY,
         "b": EMPTY, "p__other": EMPTY},
        "p p.q p.q.r b",
    ),
    "from a package": (
        {"net": "from p import q, name", "p__init": "name = 1", "p__q": EMPTY, "p__z": EMPTY},
        "p p.q",
    ),
    "relative": (
        {"net": "import p.m", "p__init": EMPTY, "p__m": "from . import x\nfrom .y import z",
         "p__x": "from ..q import no", "p__y__init": "from .. import w", "p__y__z": EMPTY,
         "p__w": EMPTY, "q": EMPTY},
        "p p.m p.x p.y p.y.z p.w",
    ),
    "star": (
        {"net": "from p import *", "p__init": "__all__ = ['q', 'name']", "p__q": "import a",
         "p__z": EMPTY, "a": EMPTY},
        "p p.q a",
    ),
    "in functions, conditions and classes": (
        {"net": """
            def f():
                import a
            try:
                import b
            except ImportError:
                import c
            class D:
                from d import e
            if 0: import missing
            """,
         "a": EMPTY, "b": EMPTY, "c": EMPTY, "d": "e = 1"},
        "a b c d",
    ),
    "a literal name": (
        {"net": """
            import importlib
            from importlib import import_module
            importlib.import_module("a")
            import_module(".b", package="p")
            __import__("c")
            """,
         "a": EMPTY, "p__init": EMPTY, "p__b": "import_module('..d', __package__)",
         "c": EMPTY, "d": EMPTY},
        "a p p.b c",
    ),
    "a folder without __init__": (
        {"net": "from lib.parts import x", "lib__parts__x": EMPTY}, "lib lib.parts lib.parts.x"
    ),
    "installed and Python's own": (
        {"net": "import json, numpy, torch.nn, sqlite3.dbapi2, yaml.nodes", "json": EMPTY,
         "torch": EMPTY},
        "",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "expected"), REACHED.values(), ids=REACHED)
def test_every_module_that_is_reached_counts(files, expected):
    write(**files)
    assert set(reach("net:f").modules) == {"net", *expected.split()}
    before = source_version("net:f") if "def f" in files["net"] else reach("net").version
    for name in set(files) - {"net"}:
        write(**{name: files[name] + "\nchanged = True\n"})
        after = reach("net").version
        dotted = name.removesuffix("__init").replace("__", ".")
        assert (after != before) == (dotted in expected.split()), name
        before = after


def test_a_module_that_appears_counts():
    write(net="try:\n  import fast\nexcept ImportError:\n  fast = None")
    before = reach("net").version
    write(fast="")
    assert reach("net").version != before


SAME = {
    "a comment": ("x = 1", "# why\nx = 1  # one", True),
    "a docstring": ("def f():\n  return 1", "'''M.'''\ndef f():\n  '''F.'''\n  return 1", True),
    "layout": ("x = [1, 2]", "x = [\n    1,\n    2,\n]\n\n", True),
    "quotes": ("x = 'a'", 'x = "a"', True),
    "a number": ("x = 1", "x = 2", False),
    "a type of number": ("x = 1", "x = 1.0", False),
    "a truth": ("x = 1", "x = True", False),
    "an expression": ("x = a + b", "x = a - b", False),
    "a text that is no docstring": ("x = 1\n'a'", "x = 1\n'b'", False),
    "nothing": ("def f():\n  return", "def f():\n  return None", False),
    "a default": ("def f(a=1): pass", "def f(a=2): pass", False),
}


@pytest.mark.parametrize(("one", "other", "same"), SAME.values(), ids=SAME)
def test_modules_are_compared_as_programs(one, other, same):
    digests = [read_source(text.encode(), "x.py").digest for text in (one, other)]
    assert (digests[0] == digests[1]) is same


REFUSED = {
    "Python's own": ("json:f", {"json": "def f(): pass"}, "rename your module"),
    "an installed package": ("yaml:load", {"yaml": "def load(): pass"}, "rename your module"),
    "imported": ("net:f", {"net": "import yaml\ndef f(): pass", "yaml": ""}, "'yaml' is also"),
    "no Python": ("net:f", {"net": "import a\ndef f(): pass", "a": "1 +"}, "'a' is not valid"),
    "no data": ("net:f", {"net": "DATA_FILES = ['w.csv']\ndef f(): pass"}, "does not exist"),
    "data elsewhere": ("net:f", {"net": "DATA_FILES = ['../w']\ndef f(): pass"}, "or below"),
    "computed data": ("net:f", {"net": "a = 1\nDATA_FILES = [a]"}, "net.py:2: DATA_FILES"),
}


@pytest.mark.parametrize(("name", "files", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_told_is_refused(name, files, says):
    write(**files)
    with pytest.raises(CodeMissingError, match=says):
        source_version(name)


def test_declared_data_count():
    write(net="DATA_FILES = ['w.csv', 'parts']\ndef f(): pass")
    Path("parts", "deep").mkdir(parents=True)
    for path in ("w.csv", "parts/a", "parts/deep/b"):
        Path(path).write_text("1")
    seen = {source_version("net:f")}
    for path in ("w.csv", "parts/a", "parts/deep/b", "parts/deep/new"):
        Path(path).write_text("22")
        seen.add(source_version("net:f"))
    assert len(seen) == 5


def test_an_installed_package_is_known_by_its_version(monkeypatch, tmp_path):
    site = tmp_path / "site"
    for file, text in {"acme/__init__.py": "", "acme/nets.py": "def f(): pass",
                       "acme-1.2.dist-info/RECORD": "acme/__init__.py,,\n",
                       "acme-1.2.dist-info/METADATA": "Name: acme\nVersion: 1.2\n",
                       }.items():  # fmt: skip
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text(text)
    monkeypatch.syspath_prepend(site)
    editable = reach("acme.nets:f")  # a folder on PYTHONPATH is the user's
    assert set(editable.modules) == {"acme", "acme.nets"}
    monkeypatch.setattr("harness.own.lookup._installed_folders", lambda: (f"{site}/",))
    assert source_version("acme.nets:f").startswith("acme 1.2 ")
    assert reach("acme.nets:f").packages == {"acme"}


# --- what is trained -----------------------------------------------------------------------------
STUDY = """\
study: own
question: Is what is trained what identifies it?
workload:
  training: {name: "net:train", settings: {a: 1}, metric: validation.accuracy}
  epochs: 1
factors:
  a: {path: training.settings.a, levels: [1, 2]}
seeds: 5
claims:
  - {id: c, says: c, metric: test.accuracy, contrast: {a: [2, 1]}, greater_by: 0.05}
"""
NET = """
def train(config, report):
    report({"validation.accuracy": value(), "test.accuracy": value()})
"""


def train_all(expect=0):
    """Run the study in this process; return what its trials reported, and why others failed."""
    Path("own.yaml").write_text(STUDY)
    loaded = load_study(Path("own.yaml"))
    options = RunOptions(Path("results"), Path("reports"), in_process=True)
    with lean():
        result = run_study(loaded, options, [])
    assert result.counts["failed"] == expect
    store = open_store(Path("results"))
    execution = max(execution.id for execution in store.latest_executions())
    records = [store.record(id_) for id_, _, _ in store.assigned_states(execution)]
    if expect:
        return {record.reason for record in records}
    return {record.metrics["test.accuracy"] for record in records}


@pytest.mark.parametrize("loaded_before", [False, True])
def test_a_changed_helper_is_trained_even_in_a_process_that_holds_the_old_one(loaded_before):
    """In a notebook above all: also where it was imported by other means than a trial."""
    write(net="from helper import value" + NET, helper="def value(): return 0.25")
    if loaded_before:
        sys.path.insert(0, os.getcwd())
        import helper  # noqa: F401
        import net  # noqa: F401

        sys.path.pop(0)
    assert train_all() == {0.25}
    write(helper="def value(): return 0.75")  # as many bytes, in the same second
    assert train_all() == {0.75}
    write(helper="# a comment\ndef value(): return 0.75")
    assert train_all() == {0.75}
    assert len(open_store(Path("results")).executions()) == 2


UNSEEN = {
    "a computed name": "import importlib\nvalue = importlib.import_module('hel' + 'per').value",
    "by its file": """
        import sys
        from importlib.util import module_from_spec, spec_from_file_location
        spec = spec_from_file_location("anything", "helper.py")
        sys.modules["anything"] = module = module_from_spec(spec)
        spec.loader.exec_module(module)
        value = module.value
        """,
    "from another folder": """
        import os, sys
        sys.path.insert(0, os.path.join(os.path.dirname(__file__), "lib"))
        from lone import value
        """,
    "a submodule": """
        import importlib, pack
        value = importlib.import_module("pack." + "sub").value
        """,
}


@pytest.mark.parametrize("imports", UNSEEN.values(), ids=UNSEEN)
def test_what_identity_does_not_cover_fails_the_trial(imports, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    value = "def value(): return 0.5"
    write(net=textwrap.dedent(imports) + NET, helper=value, lib__lone=value, pack__init="",
          pack__sub=value)  # fmt: skip
    with pytest.raises(InputError, match="a change in it would go unnoticed; import it plainly"):
        train_all()
    write(net="import helper, pack.sub\nvalue = helper.value" + NET)
    assert train_all() == {0.5}


UNDECLARED = {
    "while it trains": "def value(): return json.loads(here('width.json').read_text())",
    "when it is imported": "found = json.load(open(here('width.json')))\ndef value(): return found",
    "by a library": "def value(): return float(numpy.loadtxt(here('width.json')))",
    "with a fallback": """
        def value():
            try:
                return json.loads(here('width.json').read_text())
            except Exception:
                return 0.0
        """,
    "in a folder": "def value(): return json.loads(here('data/deep/width.json').read_text())",
}
HERE = """
import json
import time
import numpy
from pathlib import Path

def here(name): return Path(__file__).parent / name
"""


@pytest.mark.parametrize(
    ("reads", "module"),
    [*((name, "net") for name in UNDECLARED), ("while it trains", "helper")],
)
def test_a_file_that_is_read_and_not_declared_fails_the_trial(reads, module):
    """Once it changes, the old verdict would be taken for the new one."""
    code = HERE + textwrap.dedent(UNDECLARED[reads])
    for place in ("width.json", "data/deep/width.json"):
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        Path(place).write_text("0.25")
    write(**{"net": code + NET} if module == "net"
          else {"net": "from helper import value" + NET, "helper": code})  # fmt: skip
    try:
        said = train_all(expect=10)
    except InputError as error:  # what reads while it is imported is refused by the dry run
        said = {str(error)}
    assert len(said) == 1
    assert re.search(r"DATA_FILES = \[\"(data/deep/)?width.json\"\] in \w+.py", said.pop())
    declared = 'DATA_FILES = ["width.json", "data"]\n'
    write(**{module: declared + Path(f"{module}.py").read_text()})
    assert train_all() == {0.25}
    for place in ("width.json", "data/deep/width.json"):
        Path(place).write_text("0.75")
    assert train_all() == {0.75}


ALLOWED = {
    "a file that this training wrote": """
        import os
        def value():
            path = here(f"weights-{os.urandom(8).hex()}.txt")
            path.write_text("0.5")
            return float(path.read_text())
        """,
    "a file that a library wrote in this training": """
        import os, torch
        def value():
            path = str(here(f"weights-{os.urandom(8).hex()}.pt"))
            torch.save(0.5, path)
            return torch.load(path)
        """,
    "a file elsewhere": """
        import tempfile
        def value():
            with tempfile.NamedTemporaryFile("w") as file:
                print(0.5, file=file, flush=True)
                return float(open(file.name).read())
        """,
    "its own source": "def value(): return 0.5 if 'json' in open(__file__).read() else 1",
    "what is not there": """
        def value():
            try:
                return float(here("absent.txt").read_text())
            except FileNotFoundError:
                return 0.5
        """,
    "an installed package": "def value(): return float(here('site/acme/half.txt').read_text())",
    "what programs keep": "def value(): return float(here('.cache/half.txt').read_text())",
}


@pytest.mark.parametrize("reads", ALLOWED.values(), ids=ALLOWED)
def test_files_that_may_be_read(reads, here, monkeypatch):
    folders = (*lookup._installed_folders(), f"{here}/site/")
    monkeypatch.setattr("harness.own.lookup._installed_folders", lambda: folders)
    for place in ("site/acme", ".cache"):
        Path(place).mkdir(parents=True)
        Path(place, "half.txt").write_text("0.5")
    write(net=HERE + textwrap.dedent(reads) + NET)
    assert train_all() == {0.5}


def test_the_weights_of_an_earlier_training_are_no_start_for_another():
    """With other code it would go on from what the old code had learned."""
    resumes = (
        HERE
        + """
def value():
    saved = here("best.txt")
    if not saved.exists():
        saved.write_text("0.5")
    time.sleep(0.05)
    return float(saved.read_text())
"""
    )
    write(net=resumes + NET)
    said = train_all(expect=9)
    assert any("'best.txt', which it did not write in this training" in (one or "") for one in said)


def test_code_that_changes_while_it_trains_fails_the_trial():
    write(
        net="from helper import value\nfrom pathlib import Path"
        + NET
        + "    Path(__file__).with_name('helper.py').write_text('def value(): return 1.0')\n",
        helper="def value(): return 0.25",
    )
    reasons = train_all(expect=10) - {None}
    assert all("run the study again" in reason for reason in reasons)


def test_each_trial_is_held_to_its_own_code():
    """What one arm may import, another that does not show it may not."""
    write(
        one="import helper\ndef f(config, report): report(accuracy=helper.value())",
        two="def f(config, report): report(accuracy=__import__('hel' + 'per').value())",
        helper="def value(): return 0.5",
    )
    with own_imports.OwnImports(["one:f"], {}) as own:
        own_imports.own_function("one:f")({}, lambda accuracy: None)
        assert own.fault() == ""
    with own_imports.OwnImports(["two:f"], {}):
        with pytest.raises(ModuleNotFoundError) as error:
            own_imports.own_function("two:f")({}, lambda accuracy: None)
        assert "import it plainly" in own_imports.missing(error.value)


def test_after_a_run_the_user_imports_what_they_like():
    """In a notebook: the rest of the package that a trial used a module of."""
    value = "def value(): return 0.5"
    write(net="from pack.sub import value" + NET, pack__init="", pack__sub=value, pack__plots="")
    assert train_all() == {0.5}
    assert importlib.import_module("pack" + ".plots").__name__ == "pack.plots"
    sys.modules.pop("pack.plots")


def test_after_a_run_the_user_changes_a_module_and_imports_it():
    """In a notebook: a cell that writes the module anew, one that imports it, and another run."""
    write(net="from helper import value" + NET, helper="def value(): return 0.5")
    assert train_all() == {0.5}
    write(helper="def value(): return 0.25")
    sys.modules.pop("helper", None)
    assert importlib.import_module("helper").value() == 0.25
    assert train_all() == {0.25}


# --- whole runs ----------------------------------------------------------------------------------
LOOK_ALIKES = (
    "click", "fastapi", "jax", "json", "mlflow", "numpy", "pandas", "random", "ray", "scipy",
    "sklearn", "sqlalchemy", "tensorflow", "torch", "typer", "uvicorn", "yaml",
)  # fmt: skip


def lay_traps(folder):
    """Put modules into a folder that leave a file behind when anything imports them."""
    for name in LOOK_ALIKES:
        text = f"open({str(folder / 'sprung')!r}, 'a').write('{name} ')\nraise ImportError\n"
        (folder / f"{name}.py").write_text(text)


def harness(*arguments, **environment):
    command = [sys.executable, "-m", "harness", *arguments]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.slow
def test_a_changed_helper_is_retrained_whatever_lies_in_the_folder(here):
    for name in ("helper.yaml", "net.py", "blocks.py"):
        shutil.copy(CASES / name, here)
    lay_traps(here)
    run = ["run", "helper.yaml", "--json", "--set", "workload.epochs=1"]

    def counts(*options, **environment):
        trials = json.loads(harness(*run, *options, **environment))["trials"]
        return trials["complete"], trials["reused"]

    assert counts("--in-process") == (18, 0)
    blocks = here / "blocks.py"
    blocks.write_text(
        "# a comment\n" + blocks.read_text().replace("nn.ReLU()", "nn.Threshold(1e9, 0.0)")
    )
    assert counts(PYTHONPATH=".") == (12, 6)
    for _ in range(20):  # a run waits for the mirror a while; the next one sends what is left
        with sqlite3.connect(here / "results" / "mlflow.db") as mirror:
            states = mirror.execute("SELECT DISTINCT status FROM runs").fetchall()
            mirrored = mirror.execute("SELECT count(*) FROM runs").fetchone()[0]
        if mirrored > 30:
            break
        assert counts() == (0, 18)
    assert mirrored > 30
    assert states == [("FINISHED",)]
    assert not (here / "sprung").exists()


@pytest.mark.slow
def test_the_pages_are_served_whatever_lies_in_the_folder(here):
    lay_traps(here)
    command = [sys.executable, "-m", "harness", "ui", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as ui:
        said = [ui.stdout.readline() for _ in range(2)]
        ui.terminate()
    assert said[0].startswith("live page of runs: http://127.0.0.1"), said
    assert said[1].startswith("MLflow UI: http://127.0.0.1"), said
    assert not (here / "sprung").exists()
