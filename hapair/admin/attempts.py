"""How often one client may name a wrong password. Pure.

The first FREE failures cost nothing, then each one closes the door for twice as long as the one before. Clients are
IPv4 addresses or IPv6 networks of 64 bits. MOST of them are remembered; whose failure is the oldest is forgotten first.
"""

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

FREE = 5
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 300.0
MOST = 1024


@dataclass(frozen=True, slots=True)
class _Failures:
    count: int
    shut_until: float


class Attempts:
    """`now` is on any one clock, in seconds."""

    def __init__(self) -> None:
        self._failures: dict[str, _Failures] = {}
        self.refused = 0
        self.failed = 0

    def pause_s(self, client: str, now: float) -> float:
        """How long this client has to wait before it is listened to; 0: not at all."""
        known = self._failures.get(client_of(client))
        if known is None or known.shut_until <= now:
            return 0.0
        self.refused += 1
        return known.shut_until - now

    def fail(self, client: str, now: float) -> None:
        """A wrong name or password."""
        self.failed += 1
        key = client_of(client)
        known = self._failures.pop(key, None)
        if known is not None and now - known.shut_until > LONGEST_PAUSE_S:
            known = None  # long ago
        count = 1 if known is None else known.count + 1
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(20, count - FREE)) if count >= FREE else 0.0
        self._failures[key] = _Failures(count, now + pause_s)
        if len(self._failures) > MOST:
            del self._failures[next(iter(self._failures))]

    def succeed(self, client: str) -> None:
        """A right one ends it."""
        self._failures.pop(client_of(client), None)


def client_of(address: str) -> str:
    """An address as one client: who has one IPv6 address has 2**64."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ip_network((ip, 64), strict=False)) if isinstance(ip, IPv6Address) and not ip.is_loopback else str(ip)
