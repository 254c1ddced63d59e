"""The cluster files and the page about them: accepted by Ray, closed to the world, and true."""

import re
import shlex
from functools import cache
from pathlib import Path

import click
import pytest
import typer
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from harness.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = {name: ROOT / "docs" / f"{name}.md" for name in ("cluster", "aws", "on-premises")}
TEXT = "".join(page.read_text() for page in PAGES.values())
FILES = ["ray_cluster.yaml", "ray_cluster.on-premises.yaml"]
PLACES = {"on the head": "head_start_ray_commands", "on a worker": "worker_start_ray_commands"}

each_file = pytest.mark.parametrize("name", FILES)


def read(name):
    return yaml.safe_load((ROOT / name).read_text())


@each_file
def test_ray_accepts_the_file(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    prepared = prepare_config(read(name))
    validate_config(prepared)
    assert prepared["head_node_type"] in prepared["available_node_types"]


def test_ray_would_notice_a_mistake():
    broken = prepare_config(read("ray_cluster.yaml") | {"idle_timeout": 5})
    with pytest.raises(Exception, match="idle_timeout"):
        validate_config(broken)


def test_workers_are_spot_gpus_and_the_head_trains_nothing():
    config = read("ray_cluster.yaml")
    types = config["available_node_types"]
    head = types[config["head_node_type"]]
    assert head["resources"] == {"CPU": 0, "GPU": 0}
    assert "InstanceMarketOptions" not in head["node_config"]
    spot, steady = types["gpu-spot"], types["gpu-on-demand"]
    assert spot["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert spot["max_workers"] == config["max_workers"] > spot["min_workers"]
    assert steady["max_workers"] == 0
    assert spot["resources"]["GPU"] == steady["resources"]["GPU"] == 1


def test_no_port_is_open_to_the_world():
    config = read("ray_cluster.yaml")
    # Ray's own group lets SSH in from everywhere: it makes one for every type that names none.
    for node in config["available_node_types"].values():
        assert node["node_config"]["SecurityGroupIds"]
        assert node["node_config"]["MetadataOptions"] == {"HttpTokens": "required"}
    assert "security_group" not in config["provider"]
    assert not re.search(r"0\.0\.0\.0|::/0", (ROOT / "ray_cluster.yaml").read_text())
    assert not re.search(r"0\.0\.0\.0|::/0|--host\b", TEXT)
    assert "/32" in PAGES["aws"].read_text()


@each_file
def test_ray_wants_the_token_and_the_dashboard_stays_on_loopback(name):
    config = read(name)
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    head, worker = (config[place][-1] for place in PLACES.values())
    assert "RAY_AUTH_MODE=token ray start --head" in head
    assert "--dashboard-host=127.0.0.1" in head
    assert "--num-cpus=0" in head
    assert "RAY_AUTH_MODE=token ray start --address=$RAY_HEAD_IP" in worker


@each_file
def test_set_up_installs_the_locked_project_from_files_that_travel(name):
    config = read(name)
    mounts = {
        remote: local for remote, local in config["file_mounts"].items() if "~/harness/" in remote
    }
    for remote, local in mounts.items():
        assert (ROOT / local).exists()
        assert remote == f"~/harness/{local}"
    commands = "\n".join(config["setup_commands"])
    assert "--require-hashes -r requirements.lock" in commands
    assert "--no-deps --no-build-isolation --editable ." in commands
    assert "--python 3.11" in commands
    named = set(re.findall(r"[\w.]+\.(?:lock|toml|txt|yaml)", commands))
    assert named <= set(mounts.values())
    readme = re.search(r'^readme = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert readme
    assert {"pyproject.toml", "harness", "studies", readme[1]} <= set(mounts.values())


def test_both_files_set_nodes_up_alike():
    ours, cloud = (read(name) for name in reversed(FILES))
    for key in ("setup_commands", "file_mounts", "rsync_exclude", *PLACES.values()):
        assert ours[key] == cloud[key], key


@each_file
def test_large_folders_stay_at_home(name):
    config = read(name)
    assert "." not in config["file_mounts"].values()  # Ray would read all of .venv at each `ray up`
    assert {"/.git", "/.venv", "/results"} <= set(config["rsync_exclude"])


def test_uv_comes_from_the_lock_file():
    config = read("ray_cluster.yaml")
    (program,) = re.findall(r"awk '([^']*)'", "\n".join(config["setup_commands"]))
    assert program == r"/^uv==/ {found = 1} found {print} found && !/\\$/ {exit}"
    locked = (ROOT / "requirements.lock").read_text()
    block = re.search(r"^uv==(?:.*\\\n)+.*\n", locked, re.M)
    assert block
    assert "--hash=sha256:" in block[0]


# --- commands in the page and in comments --------------------------------------------------------
def commands(text, program):
    """Every command line of a program in the blocks and the inline code of a page."""
    joined = text.replace("\\\n", " ")
    spans = [line for block in re.findall(r"```bash\n(.*?)```", joined, re.S)
             for line in block.splitlines()]  # fmt: skip
    spans += re.findall(r"(?<!`)`([^`\n]+)`(?!`)", joined)
    start = rf"(?:^|exec |&& |['\"]){program} [^'\"]*"
    found = [match for span in spans for match in re.findall(start, span.split("  #")[0])]
    return sorted({re.sub(rf"^.*?(?={program} )", "", line).strip() for line in found})


@cache
def harness_cli():
    return typer.main.get_command(app)


def parse(cli, words):
    """Walk to the subcommand and parse its options; nothing is run."""
    with click.Context(cli, info_name="x") as context:
        while hasattr(cli, "commands"):
            assert words, "a command is missing"
            cli, words = cli.commands[words[0]], words[1:]
        return cli.make_context("x", list(words), parent=context)


HARNESS = commands(TEXT, "harness")
RAY = commands(TEXT + "".join((ROOT / name).read_text() for name in FILES), "ray")


def test_the_pages_have_commands():
    assert len(HARNESS) >= 10
    assert len(RAY) >= 15
    assert {line.split()[1] for line in RAY} >= {
        "up", "down", "attach", "exec", "job", "dashboard", "rsync-up", "rsync-down", "start",
    }  # fmt: skip


@pytest.mark.parametrize("line", HARNESS)
def test_harness_commands_parse(line):
    words = shlex.split(line)[1:]
    if len(words) == 1:  # only named, as in "`harness run`"
        assert words[0] in harness_cli().commands
        return
    parsed = parse(harness_cli(), words).params
    for study in parsed.get("studies") or []:
        known = Path("studies") / "first.yaml"  # made on the page by `harness new first`
        assert Path(study) == known or (ROOT / study).is_file()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Ray's own, at import
@pytest.mark.parametrize("line", RAY)
def test_ray_commands_parse(line):
    from ray.scripts.scripts import cli as ray_cli

    # What follows `--` is the job's own command; quoted arguments were cut off at their quote.
    words = shlex.split(line.partition(" -- ")[0])[1:]
    command = ray_cli.commands[words[0]]
    rest = words[1:]
    while hasattr(command, "commands"):
        if not rest:
            return
        command, rest = command.commands[rest[0]], rest[1:]
    options = {name for parameter in command.params for name in parameter.opts}
    for word in rest:
        if word.startswith("-") and word != "--":
            assert word.partition("=")[0] in options, word
        elif word.startswith("ray_cluster"):
            assert (ROOT / word).is_file()


def test_a_wrong_option_would_be_noticed():
    with pytest.raises(Exception, match=r"(?i)no such option.*adress"):
        parse(harness_cli(), shlex.split("run studies/activations.yaml --adress auto"))


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_profiles_and_settings_of_the_page_exist(profile, capsys, tmp_path):
    from harness.cli.app import run

    study = str(ROOT / "studies" / "activations.yaml")
    arguments = ["--profile", profile, "--set", "resources.gpus=0.25", "--json"]
    assert run(["plan", study, *arguments, "--results", str(tmp_path)]) == 0
    assert '"trials"' in capsys.readouterr().out
