"""What a server of direct server return must have: put in place on the server itself, remembered, taken back.

The VIPs on `lo`, and that nobody else hears of them by ARP. Like these, the memory lasts until the machine starts
again. The seam to a server's addresses.
"""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hapair.doctor import Finding, ServerNeeds, server_findings
from hapair.kernel.sysctls import ROOT, Sysctls

SYSCTLS_FILE, ADDRESSES_FILE = "server-sysctls.json", "server-addresses.json"
LIMIT_S = 5.0
Ip = Callable[..., str | None]
"""Runs ip(8) with these words; what it prints, None where it fails."""


def run_ip(*words: str) -> str | None:
    """The real one."""
    try:
        run = subprocess.run(["ip", *words], capture_output=True, text=True, check=False, timeout=LIMIT_S)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return run.stdout if run.returncode == 0 else None


class ServerSide:
    """This machine as a server."""

    def __init__(self, folder: Path, *, ip: Ip = run_ip, root: Path = ROOT) -> None:
        """`folder`: where it is remembered what was changed."""
        self._folder, self._ip = folder, ip
        self._sysctls = Sysctls(folder, root, file=SYSCTLS_FILE, lacking="ARP is not as it must be")
        self._file = folder / ADDRESSES_FILE

    def addresses(self) -> dict[str, str]:
        """Interface by address; empty where ip does not tell."""
        listed: list[Mapping[str, Any]] = json.loads(self._ip("-json", "address", "show") or "[]")
        return {
            address["local"]: link["ifname"]
            for link in listed
            for address in link.get("addr_info", ())
            if "local" in address
        }

    def look(self, needs: ServerNeeds) -> list[Finding]:
        """What is as it must be, and what is not."""
        found = {name: self._sysctls.read(name) for name in needs.settings}
        return list(server_findings(needs, self.addresses(), found, self._remembered(), self._sysctls.remembered()))

    def apply(self, needs: ServerNeeds) -> list[str]:
        """Make it so. Returns what could not be done. ARP comes first: else the VIP would be told to the LAN."""
        self._folder.mkdir(parents=True, exist_ok=True)
        obstacles = self._sysctls.change(needs.missing_settings(self._sysctls.read))
        if obstacles:
            return obstacles
        there = self.addresses()
        for address, words in needs.missing_addresses(there).items():
            self._remember([*self._remembered(), address])
            if self._ip(*words) is None:
                obstacles.append(f"{address} cannot be added: ip {' '.join(words)}")
        return obstacles

    def undo(self) -> list[str]:
        """Take back what `apply` changed, and only that. Returns what, in words."""
        done = []
        for address in self._remembered():
            if self._ip("address", "delete", address, "dev", "lo") is not None:
                done.append(f"{address} is no longer on lo")
        self._file.unlink(missing_ok=True)
        done += [f"{name.replace('/', '.')} is {was} again" for name, was in self._sysctls.remembered().items()]
        self._sysctls.restore()
        return done

    def _remembered(self) -> list[str]:
        try:
            return [str(one) for one in json.loads(self._file.read_text())]
        except (FileNotFoundError, PermissionError, ValueError):
            return []

    def _remember(self, addresses: list[str]) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(list(dict.fromkeys(addresses))))
        os.replace(fresh, self._file)
