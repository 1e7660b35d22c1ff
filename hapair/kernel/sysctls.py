"""Settings that the kernel plane needs of this machine: changed, remembered, put back. The seam to /proc/sys."""

import errno
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger(__name__)

FILE = "sysctls.json"
ROOT = Path("/proc/sys")
_MAY_FAIL = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT)
_LIBERAL = "net/netfilter/nf_conntrack_tcp_be_liberal"
_EVENTS = "net/netfilter/nf_conntrack_events"
_SYN_PROXY = {"net/netfilter/nf_conntrack_tcp_loose": "0", "net/ipv4/tcp_timestamps": "1"}
"""An answer to a cookie is no flow that began earlier; what a client can do is kept in its timestamps."""
_WITHOUT = {
    _LIBERAL: "flows that come back from the other node may stall",
    "net/netfilter/nf_conntrack_tcp_loose": "syn_proxy does not work",
    "net/ipv4/tcp_timestamps": "syn_proxy does not know what a client can do",
}
"""What is the matter where one is not as it must be."""
_IPV4_FORWARD, _IPV6_FORWARD = "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"


def wanted(*, ipv4: bool, ipv6: bool, syn_proxy: bool = False, root: Path = ROOT) -> dict[str, str]:
    """Names below /proc/sys and what they must be. A machine that forwards IPv6 hears no router's advertisements any
    more, unless told to with accept_ra 2: where it is 1 now, addresses and routes would be lost."""
    found = ({_IPV4_FORWARD: "1"} if ipv4 else {}) | (_SYN_PROXY if syn_proxy else {})
    if ipv6:
        names = (str(path.relative_to(root)) for path in sorted(root.glob("net/ipv6/conf/*/accept_ra")))
        found |= {name: "2" for name in names if _read(root / name) == "1"}
        found[_IPV6_FORWARD] = "1"
    return found


def liberal(root: Path = ROOT, *, syn_proxy: bool = False) -> dict[str, str]:
    """Lets packets be of a flow whatever their sequence numbers: a flow that was away, on the other node, comes back
    with numbers that this kernel has not followed. And lets the end of a flow be told that began while nobody listened.
    The settings are there once the kernel follows flows at all, and so are those of a SYN proxy."""
    found = {_LIBERAL: "1", _EVENTS: "1"} | (_SYN_PROXY if syn_proxy else {})
    return {name: value for name, value in found.items() if (root / name).exists()}


class Sysctls:
    """What was changed is remembered in a folder, so that a crash in between loses nothing."""

    def __init__(
        self, folder: Path, root: Path = ROOT, *, file: str = FILE, lacking: str = "this machine does not forward"
    ) -> None:
        """`lacking`: what is the matter where they cannot be changed, unless `_WITHOUT` says it."""
        self._file, self._root, self._lacking = folder / file, root, lacking

    def change(self, settings: Mapping[str, str]) -> list[str]:
        """Make them so. Returns what could not be done, in words a person can act on."""
        obstacles = []
        for name, value in settings.items():
            before = self.read(name)
            if before == value:
                continue
            known = self.remembered()
            self._remember({name: before or "", **known})  # the first one is what a person chose
            if not self._write(name, value):
                self._remember(known)
                setting = f"{name.replace('/', '.')}={value}"
                obstacles.append(f"{_WITHOUT.get(name, self._lacking)}: sysctl -w {setting}")
        return obstacles

    def restore(self) -> None:
        """Back to what they were; nothing is remembered after that."""
        for name, before in self.remembered().items():
            if before:
                self._write(name, before)
        self._file.unlink(missing_ok=True)

    def remembered(self) -> Mapping[str, str]:
        """Settings that were changed, and what they were before."""
        try:
            found = json.loads(self._file.read_text())
        except (FileNotFoundError, PermissionError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _remember(self, known: Mapping[str, str]) -> None:
        if not known:
            self._file.unlink(missing_ok=True)
            return
        fresh = self._file.with_suffix(".new")
        try:
            fresh.write_text(json.dumps(known))
            os.replace(fresh, self._file)
        except OSError as error:
            if error.errno not in _MAY_FAIL:
                raise
            log.warning("settings will not be put back", extra={"settings": list(known), "detail": error.strerror})

    def read(self, name: str) -> str | None:
        """What it is; None: there is no such setting."""
        return _read(self._root / name)

    def _write(self, name: str, value: str) -> bool:
        try:
            (self._root / name).write_text(value)
        except OSError as error:
            if error.errno not in _MAY_FAIL:
                raise
            return False
        log.info("setting changed", extra={"setting": name, "value": value})
        return True


def _read(setting: Path) -> str | None:
    """None: it is not there, or has just gone, as those of an interface do."""
    try:
        return setting.read_text().strip()
    except FileNotFoundError:
        return None
