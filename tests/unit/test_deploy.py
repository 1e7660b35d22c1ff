"""The systemd unit as systemd reads it, and the installation script on a small checkout of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "hapair.service"

# Does what the scripts of installation count on, without an index: a virtual environment that runs the checkout.
BOOTSTRAP = f"""
[ -x "$1/bin/python" ] || "{sys.executable}" -m venv --without-pip "$1"
touch "$("$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/hapair-checkout.pth"
touch "$1/bin/hapair"
"""


def settings(name: str) -> list[str]:
    """The values that the unit gives a setting, in the order of the file."""
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    return [value for key, _, value in (line.partition("=") for line in lines) if key == name]


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )


def test_systemd_understands_every_line(tmp_path: Path, program: Callable[[str], str]) -> None:
    program("systemd-analyze")
    copy = tmp_path / "hapair.service"
    text = UNIT.read_text(encoding="utf-8").replace("/opt/hapair/bin/hapair", "/bin/true")
    copy.write_text(text, encoding="utf-8")

    verified = analyze("verify", copy)

    assert "hapair.service" not in verified.stdout
    assert verified.returncode == 0


def test_systemd_finds_the_unit_well_protected(program: Callable[[str], str]) -> None:
    """2.5 of 10; what is left is mostly what a load balancer is for, networks and real-time scheduling."""
    program("systemd-analyze")

    assessed = analyze("security", "--offline=true", "--no-pager", "--threshold=25", UNIT)

    assert assessed.returncode == 0, assessed.stdout


@pytest.mark.parametrize("name", ["CapabilityBoundingSet", "AmbientCapabilities"])
def test_three_capabilities_and_no_more(name: str) -> None:
    assert settings(name) == ["CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Type", "notify"),
        ("User", "hapair"),
        ("WatchdogSec", "10"),
        ("RuntimeDirectory", "hapair"),
        ("KillMode", "control-group"),
        ("TimeoutStopSec", "35"),
        ("OOMPolicy", "continue"),
        ("LimitMEMLOCK", "infinity"),
        ("LimitRTPRIO", "20"),
        ("ExecStopPost", "-/opt/hapair/bin/hapair release"),
        ("RestartPreventExitStatus", "2 78"),
    ],
)
def test_what_the_processes_count_on(name: str, value: str) -> None:
    assert settings(name) == [value]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / "deploy", root / "deploy")
    (root / "deploy" / "bootstrap.sh").write_text(BOOTSTRAP, encoding="utf-8")
    for package in ("hapair", "balancer", "vrrp"):
        (root / package).mkdir()
        (root / package / "__init__.py").write_text("FIRST = 1\n", encoding="utf-8")
        (root / package / "__pycache__").mkdir()
        (root / package / "__pycache__" / "old.pyc").touch()
    return root


def install(checkout: Path, destination: Path) -> str:
    done = subprocess.run(
        ["sh", checkout / "deploy" / "install.sh"],
        env={**os.environ, "DESTDIR": str(destination)},
        text=True,
        capture_output=True,
        check=True,
    )
    return done.stderr


def site_packages(destination: Path) -> Path:
    (found,) = (destination / "opt" / "hapair" / "lib").glob("python3*/site-packages")
    return found


def test_an_installation_does_not_need_the_checkout(checkout: Path, tmp_path: Path) -> None:
    said = install(checkout, tmp_path / "machine")
    shutil.rmtree(checkout)

    machine = tmp_path / "machine"
    site = site_packages(machine)
    assert sorted(path.name for path in site.iterdir()) == ["balancer", "hapair", "vrrp"]
    assert [path.suffix for path in (site / "hapair" / "__pycache__").iterdir()] == [".pyc"]
    assert not (site / "hapair" / "__pycache__" / "old.pyc").exists()
    assert (machine / "usr/local/bin/hapair").readlink() == Path("/opt/hapair/bin/hapair")
    assert (machine / "etc/systemd/system/hapair.service").read_text(encoding="utf-8") == UNIT.read_text(
        encoding="utf-8"
    )
    assert (machine / "etc/hapair").is_dir()
    assert "write /etc/hapair/hapair.yaml" in said


def test_installing_again_brings_the_code_up_to_date_and_leaves_the_file_alone(checkout: Path, tmp_path: Path) -> None:
    machine = tmp_path / "machine"
    (checkout / "hapair" / "gone.py").touch()
    install(checkout, machine)
    (machine / "etc/hapair/hapair.yaml").write_text("mine\n", encoding="utf-8")
    (checkout / "hapair" / "gone.py").unlink()
    (checkout / "hapair" / "__init__.py").write_text("SECOND = 2\n", encoding="utf-8")

    said = install(checkout, machine)

    hapair = site_packages(machine) / "hapair"
    assert sorted(path.name for path in hapair.iterdir()) == ["__init__.py", "__pycache__"]
    assert (hapair / "__init__.py").read_text(encoding="utf-8") == "SECOND = 2\n"
    assert (machine / "etc/hapair/hapair.yaml").read_text(encoding="utf-8") == "mine\n"
    assert "systemctl restart hapair" in said


def test_installing_needs_root(checkout: Path) -> None:
    command = ["sh", "-s"]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=65534", "--clear-groups", *command]
    script = (checkout / "deploy" / "install.sh").read_text(encoding="utf-8")

    done = subprocess.run(command, input=script, text=True, capture_output=True, check=False, cwd="/")

    assert done.returncode == 1
    assert done.stderr == "installing needs root; type: sudo sh deploy/install.sh\n"
