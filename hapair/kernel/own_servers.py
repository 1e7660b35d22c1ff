"""Servers that are on this machine itself, to which the kernel plane cannot forward: the file cannot always tell."""

import errno
import socket
from collections.abc import Callable, Iterable, Mapping

from balancer.config import Frontend, Pool

_UNREACHABLE = (
    *(errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL),
    *(errno.EACCES, errno.EPERM, errno.EINVAL, errno.EAFNOSUPPORT),
)
_DISCARD_PORT = 9


def is_own(host: str) -> bool:
    """Whether an IP address is this machine's: what is sent there would come from there. Nothing is sent."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.connect((host, _DISCARD_PORT))
            return str(sock.getsockname()[0]) == host
    except OSError as error:
        if error.errno not in _UNREACHABLE:
            raise
        return False


def own_servers(
    frontends: Mapping[str, Frontend], pools: Mapping[str, Pool], *, own: Callable[[str], bool] = is_own
) -> list[str]:
    """What is the matter with servers of the kernel plane that are here, in words."""
    return list(dict.fromkeys(_words(frontends.values(), pools, own)))


def _words(frontends: Iterable[Frontend], pools: Mapping[str, Pool], own: Callable[[str], bool]) -> Iterable[str]:
    for frontend in frontends:
        if frontend.plane == "kernel" and frontend.pool is not None:
            for name, server in pools[frontend.pool].servers.items():
                if own(server.address.host):
                    yield (
                        f"server {name} of pool {frontend.pool} is on this machine ({server.address.host}), "
                        "and plane: kernel only forwards; use plane: proxy"
                    )
