"""What is odd about a file on the machine that is to run it: its name, its address, its interfaces, who may read what.

A node says each of these too, once it runs; here they are said beforehand, and all at once.
"""

import errno
import os
import pwd
import socket
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from hapair import secret
from hapair.config import Loaded, NodeConfig, UnknownNodeError, node_view
from hapair.config.scalars import on_node

SERVICE = "hapair"


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a process runs as."""

    uid: int
    gid: int

    def can_read(self, path: Path) -> bool:
        """Whether it may read this file, as far as the modes of the file and of its folder tell."""
        return self._may(path, stat.S_IROTH) and self._may(path.parent, stat.S_IXOTH)

    def _may(self, path: Path, bit: int) -> bool:
        status = path.stat()
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
        return bool(status.st_mode & bit << shift)


@dataclass(frozen=True, slots=True)
class Machine:
    """What is to be known of a machine."""

    name: str
    interfaces: tuple[str, ...]
    has_address: Callable[[str], bool]
    speaks_from: Callable[[str], str | None]
    """With which of its addresses it would speak to another one; None: it has no way there."""
    service: Account | None
    """Whom the systemd unit runs hapair as; None: there is no such user, or it is not for us to say."""
    is_root: bool


def this_machine() -> Machine:
    """The one that this program runs on."""
    interfaces = tuple(name for _, name in socket.if_nameindex() if name != "lo")
    is_root = os.geteuid() == 0
    service = _service() if is_root else None
    return Machine(socket.gethostname(), interfaces, _has_address, _speaks_from, service, is_root)


def _service() -> Account | None:
    try:
        entry = pwd.getpwnam(SERVICE)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid)


def _has_address(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            # A link-local address by itself does not say on which link: EINVAL.
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL):
                raise
            return error.errno == errno.EINVAL
    return True


def _speaks_from(address: str) -> str | None:
    """A socket for datagrams is connected, which sends nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))
        except OSError as error:
            if error.errno not in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EAFNOSUPPORT, errno.EINVAL):
                raise
            return None
        return str(probe.getsockname()[0])


def odd_here(loaded: Loaded, machine: Machine, node: str | None = None) -> Iterator[str]:
    """What a person should look at before this machine runs this file, as `node` or by its own name."""
    file = Path(loaded.path).absolute()
    if machine.service is not None and not machine.service.can_read(file):
        yield f"{file} is not to be read by the user {SERVICE}, whom the service runs as: chmod 0644 {file}"
    try:
        config = node_view(loaded, node or machine.name)
    except UnknownNodeError as error:
        yield str(error)
        return
    yield from _address(config, machine)
    yield from _interfaces(loaded, config, machine)
    yield from _networks(loaded, machine)
    if config.secret_file is not None:
        yield from _secret(Path(config.secret_file).absolute(), machine)


def _address(config: NodeConfig, machine: Machine) -> Iterator[str]:
    address = config.nodes[config.node]
    if not machine.has_address(address):
        yield f"pair.nodes.{config.node}: {address} is no address of this machine; `ip -br address` shows what it has"


def _interfaces(loaded: Loaded, config: NodeConfig, machine: Machine) -> Iterator[str]:
    for name, router in loaded.file.virtual_routers.items():
        interface = on_node(router.interface, config.node)
        if interface not in machine.interfaces:
            has = " and ".join(machine.interfaces) or "none"
            yield f"virtual_routers.{name}.interface: there is no {interface} on this machine, which has {has}"


def _networks(loaded: Loaded, machine: Machine) -> Iterator[str]:
    """A VIP of a network that this machine is not in: clients may not find it. A prefix of all bits is no network."""
    for name, router in loaded.file.virtual_routers.items():
        for vip in router.all_addresses:
            network = vip.network
            if vip.ip.is_link_local or network.num_addresses == 1:
                continue
            source = machine.speaks_from(str(vip.ip))
            if source is None or ip_address(source) not in network:
                words = f"{vip}: this machine has no address in {network}; is that meant?"
                yield f"virtual_routers.{name}.addresses: {words}"


def _secret(path: Path, machine: Machine) -> Iterator[str]:
    if not machine.is_root and path.exists() and not os.access(path, os.R_OK):
        return  # as it should be for an ordinary user
    try:
        secret.load(path)
    except secret.SecretError as error:
        yield f"pair.secret_file: {error}"
        return
    if machine.service is not None and not machine.service.can_read(path):
        to_do = f"chgrp {SERVICE} {path}; chmod 0640 {path}"
        yield f"pair.secret_file: the user {SERVICE}, whom the service runs as, cannot read {path}: {to_do}"
