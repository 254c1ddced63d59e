"""The steps of the container file, run as they stand in a fresh root with this Debian's programs.

What they write is seen there alone. What is changed: the packages of the lock file, which are
gigabytes, are those of this environment, and the image's Python is this one. The system's packages
(`apt-get install`) are not installed again.
"""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKED, SYSTEM = "whl/cpu", ("apt-get", "/apt/")  # are in the steps that install packages
PREPARE = """
set -e
mount -t tmpfs -o mode=755 none "$1"
mkdir "$1/root" "$1/layers"
cd "$1/root"
lay() {
  mkdir "$2" "$3" "$3-work"
  mount -t overlay none -o "lowerdir=$1,upperdir=$3,workdir=$3-work" "$2"
}
lay /usr usr "$1/layers/usr"
lay /etc etc "$1/layers/etc"
lay "$3" python "$1/layers/python"
for link in bin sbin lib lib64; do cp -P /$link .; done
for place in dev proc sys; do mkdir $place; mount --rbind /$place $place; done
mkdir -m 755 tmp var home root opt locked
chmod 1777 tmp
for file in resolv.conf hosts; do cp --remove-destination -L /etc/$file etc/; done
mount --bind -o ro "$4" locked
test -d "./$3" || { mkdir -p "./$3" && mount --bind python "./$3"; }  # its libraries look there
mkdir pip && cp -r locked/pip pip/
exec /bin/sh -e "$2"
"""
ENV = "export DEVICE=cpu PATH=/usr/local/bin:/python/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OFFLINE = ("No matching distribution", "Temporary failure", "Connection refused")


def instructions():
    """The instructions of the file, each with what it says."""
    lines = (ROOT / "Containerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n", " ", text)
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def steps(root):
    """Yield the lines of a script that does in a root what a builder does, step by step.

    Both stages have one root, so that what the second copies from the first is there already.
    """
    python = f"/python/bin/python{sysconfig.get_python_version()}"
    for name, what in (("python3", ""), ("python", ""), ("pip", "-m pip")):
        path = "PYTHONPATH=/pip " if name == "pip" else ""
        file = f"{root}/usr/local/bin/{name}"
        command = f'exec env {path}{python} {what} "$@"'
        yield f"rm -f {file}; printf '#!/bin/sh\\n{command}\\n' > {file}"
        yield f"chmod +x {file}"
    folder, variables, last = "/", "", {}
    for name, text in instructions():
        if name == "WORKDIR":
            folder = text
            yield f"mkdir -p {root}{folder}"
        elif name == "ENV":
            variables += f" {text}"
        elif name == "COPY" and not text.startswith("--from="):
            *sources, target = text.split()
            for source in sources:
                yield f"cp -r '{ROOT / source}' '{root}{folder}/{target}'"
        elif name == "RUN" and LOCKED in text:
            site = f"{root}/opt/harness/lib/python{sysconfig.get_python_version()}/site-packages"
            yield f"echo /locked > {site}/locked.pth"
        elif name == "RUN":
            parts = [part for part in text.split("&&") if not any(one in part for one in SYSTEM)]
            command = "&&".join(parts).replace("--uid", "--non-unique --uid")
            quoted = command.replace("'", "'\\''")
            yield f"chroot {root} /bin/sh -ec 'cd {folder}; {ENV}{variables}; {quoted}'"
        else:
            last[name] = text
    start = " ".join(re.findall(r'"([^"]*)"', last["ENTRYPOINT"]))
    usual = " ".join(re.findall(r'"([^"]*)"', last["CMD"]))
    for arguments in (usual, "plan activations --profile quick"):
        inner = f"cd {folder}; export HOME=/home/harness {variables}; {start} {arguments}"
        yield f"chroot --userspec={last['USER']} {root} /bin/sh -ec '{inner}'"
    packages = "import harness; print(harness.__file__)"
    yield f"chroot {root} /opt/harness/bin/python -I -c '{packages}'"


def test_the_steps_of_the_container_file_give_a_program_that_runs(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("a root of its own takes the rights of root")
    (tmp_path / "prepare.sh").write_text(PREPARE)
    (tmp_path / "disk").mkdir()
    (tmp_path / "steps.sh").write_text("\n".join(steps(tmp_path / "disk/root")))
    done = subprocess.run(
        ["unshare", "--mount", "/bin/sh", str(tmp_path / "prepare.sh"), str(tmp_path / "disk"),
         str(tmp_path / "steps.sh"), sys.base_prefix, sysconfig.get_path("purelib")],
        env={name: value for name, value in os.environ.items() if name != "HARNESS_DATA"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "mount" in done.stderr and "permitted" in done.stderr:
        pytest.skip("file systems cannot be mounted here")
    if done.returncode and any(sign in done.stderr for sign in OFFLINE):
        pytest.skip("the registry of packages cannot be reached")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert "Usage: harness" in done.stdout
    assert "trials" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("/opt/harness/lib/")
