"""What runs on the nodes of a pair: hapair itself, or keepalived with HAProxy beside it for comparison."""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import trio

from hapair import __version__, secret
from hapair.admin.runtime import NotRunningError, ask
from hapair.lab.entry import lab_environment
from hapair.lab.files import SECRET_FILE, hapair_yaml, haproxy_cfg, keepalived_conf
from hapair.lab.host import Host, parent_of
from hapair.lab.plan import Plan

PATIENCE_S = 10.0
"""With a node that was asked: it may be frozen."""
RECORDING = "recording.jsonl"
"""In the folder of a host whose hapair records (vrrp.recording)."""


class NodeProgram(Protocol):
    """A way to run a node."""

    name: str

    def versions(self) -> str:
        """What is run, with versions."""
        ...

    async def start(self, host: Host, plan: Plan) -> None:
        """Write its files on the host and start it."""
        ...

    def controllers(self, host: Host) -> list[int]:
        """The processes there that start and watch the others."""
        ...

    def announcers(self, host: Host) -> list[int]:
        """The processes there that speak VRRP."""
        ...

    async def let_preempt(self, host: Host) -> None:
        """Let the node there take back what it gave up, if its priority is the higher one."""
        ...

    async def ready(self, host: Host) -> bool:
        """Whether the node there would take over, or is Active already, as far as it tells."""
        ...


class Hapair:
    """The real thing: `hapair up`; of another checkout where one is named."""

    name = "hapair"

    def __init__(self, checkout: Path | None = None, *, record: bool = False) -> None:
        self._record = record
        # A program runs the modules of the folder that it is started in, and its children those of PYTHONPATH.
        self._where = ["env", "-C", str(checkout), f"PYTHONPATH={checkout}"] if checkout else []

    def versions(self) -> str:
        return f"hapair {__version__}, Python {sys.version.split()[0]}"

    async def start(self, host: Host, plan: Plan) -> None:
        # Both nodes read one and the same file, as the guide tells people to have it.
        file = host.folder.parent / "hapair.yaml"
        file.write_text(hapair_yaml(plan))
        with suppress(secret.SecretError):  # the other node has made it
            secret.make(file.with_name(SECRET_FILE))
        _runtime_dir(host).mkdir(exist_ok=True)
        options = ["--config", str(file), "--node", host.name, *at(host)]
        if self._record:
            options += ["--record", str(host.folder / RECORDING)]
        await host.start([*self._where, *hapair("up"), *options], log="hapair.log")

    def controllers(self, host: Host) -> list[int]:
        return host.find("hapair", "up")

    def announcers(self, host: Host) -> list[int]:
        return host.find("hapair.announcer")

    async def hand_over(self, host: Host) -> None:
        """Have the node there give its VIPs to the other. Raises subprocess.CalledProcessError where it refuses."""
        await host.run([*self._where, *hapair("handover"), *at(host)])

    async def let_preempt(self, host: Host) -> None:
        await host.run([*self._where, *hapair("preempt"), *at(host)], check=False)

    async def ready(self, host: Host) -> bool:
        status = await status_of(host)
        return status is not None and _takes_part(status)


def hapair(verb: str) -> list[str]:
    """The command line of the program that this module is part of."""
    return [sys.executable, "-m", "hapair", verb]


def at(host: Host) -> list[str]:
    """The option that tells a command which of the lab's nodes is meant."""
    return ["--runtime-dir", str(_runtime_dir(host))]


def _runtime_dir(host: Host) -> Path:
    return host.folder / "run"


async def status_of(host: Host) -> dict[str, Any] | None:
    """What `hapair status --json` prints there; None where no node answers.

    Whoever waits for something asks again and again: it is asked from here, for each start of the command takes the
    half of a second from the machine on which all the others run too.
    """
    with trio.move_on_after(PATIENCE_S), suppress(NotRunningError, trio.BrokenResourceError):
        return dict(await ask(_runtime_dir(host), "status"))
    return None


async def known_status(host: Host) -> dict[str, Any]:
    """The same of a node that answers. Raises AssertionError."""
    found = await status_of(host)
    assert found is not None, f"the node of {host.name} does not answer"
    return found


def _takes_part(status: Mapping[str, Any]) -> bool:
    return all(router["state"] in ("Active", "Backup") for router in status["routers"])


class Keepalived:
    """keepalived for the VIP and HAProxy behind it, as two packages of the system; or keepalived alone."""

    name = "keepalived"

    def __init__(self, *, haproxy: bool = True) -> None:
        self._haproxy = haproxy

    def versions(self) -> str:
        keepalived = _first_line(["keepalived", "--version"])
        return f"{keepalived}, {_first_line(['haproxy', '-v'])}" if self._haproxy else keepalived

    async def start(self, host: Host, plan: Plan) -> None:
        await start_keepalived(host, plan)
        if self._haproxy:
            file = host.folder / "haproxy.cfg"
            file.write_text(haproxy_cfg(plan))
            await host.start(["haproxy", "-db", "-f", str(file)], log="haproxy.log")

    def controllers(self, host: Host) -> list[int]:
        return sorted(set(host.find("keepalived")) - set(self.announcers(host)))

    def announcers(self, host: Host) -> list[int]:
        both = host.find("keepalived")
        return [pid for pid in both if parent_of(pid) in both]

    async def let_preempt(self, host: Host) -> None:
        return  # it always does

    async def ready(self, host: Host) -> bool:
        return bool(self.announcers(host))  # it tells nobody; whose VIP it is says the rest


def missing_peer(*programs: str) -> str | None:
    """The line that says which of these programs to install; None where all are there."""
    path = lab_environment()["PATH"]
    missing = [program for program in programs if shutil.which(program, path=path) is None]
    return f"{' and '.join(missing)} not installed: apt-get install {' '.join(missing)}" if missing else None


async def start_keepalived(host: Host, plan: Plan) -> None:
    """Run keepalived alone on a host."""
    file = host.folder / "keepalived.conf"
    file.write_text(keepalived_conf(plan, host.name))
    pids = ["-p", str(host.folder / "keepalived.pid"), "-r", str(host.folder / "keepalived-vrrp.pid")]
    await host.start(["keepalived", "-n", "-l", "-D", "-f", str(file), *pids], log="keepalived.log")


def _first_line(argv: Sequence[str]) -> str:
    result = subprocess.run(argv, check=False, capture_output=True, text=True, env=lab_environment())
    return (result.stdout + result.stderr).partition("\n")[0]
