"""What a pair is to be: names, addresses, priorities and the form of VRRP that its nodes speak. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vrrp.timers import active_down_interval, lease_length


@dataclass(frozen=True, slots=True)
class Plan:
    """What a pair is to be; every program is told the same."""

    nodes: Mapping[str, str]
    """Name to own address: where a node is reached by the other; unicast adverts go there."""
    priorities: Mapping[str, int]
    servers: Mapping[str, str]
    """Name to address, with port."""
    vip: str
    """IPv4 or IPv6, without prefix length."""
    interval_ms: int = 100
    vrid: int = 51
    version: Literal[2, 3] = 3
    password: str | None = None
    """VRRPv2 only: the cleartext password of RFC 2338."""
    unicast: bool = False
    virtual_mac: bool = False
    checksum: Literal["rfc5798", "rfc9568"] = "rfc5798"
    """The form that hapair sends; the others know rfc5798 only."""
    foreign: bool = False
    """Whether one of the two is no hapair: adverts then go without a signature, and there is no link between them."""

    @property
    def preferred(self) -> str:
        """The node that is Active while all is well."""
        return max(self.priorities, key=lambda name: self.priorities[name])

    @property
    def family(self) -> Literal[4, 6]:
        """The IP version of the VIP, and with it of the adverts."""
        return 6 if ":" in self.vip else 4

    @property
    def addresses(self) -> tuple[str, ...]:
        """What the virtual router advertises, each with its prefix length; IPv6 begins with a link-local address."""
        if self.family == 4:
            return (f"{self.vip}/24",)
        return (f"fe80::200:5eff:fe00:2{self.vrid:02x}/64", f"{self.vip}/64")

    @property
    def virtual_mac_address(self) -> str:
        """The virtual router MAC address (RFC 9568 section 7.3)."""
        return f"00:00:5e:00:0{1 if self.family == 4 else 2}:{self.vrid:02x}"

    def peer_of(self, name: str) -> str:
        """The other node's own address."""
        return next(address for node, address in self.nodes.items() if node != name)

    @property
    def active_down_s(self) -> float:
        """Active_Down_Interval of the node that takes over."""
        return active_down_interval(min(self.priorities.values()), self.interval_ms // 10)

    @property
    def lease_s(self) -> int:
        """How long the preferred node's kernel keeps a VIP that is not renewed."""
        return lease_length(self.priorities[self.preferred], self.interval_ms // 10)
