"""The shape of hapair.yaml. What belongs to the load balancer is decoded into balancer's own types."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from balancer.config import STRICT, Frontend, Pool
from balancer.fieldtypes import Seconds, Text
from vrrp.config import unusable

EVERY_NODE = "*"
_INTERFACE_NAME = re.compile(r"(?!\.{1,2}$)[!-.0-9;-~]{1,15}")  # without / and :, and not . or ..


@dataclass(frozen=True, slots=True)
class PerNode:
    """A value for every node, or a table with one for each: `eth0`, or `{pi-a: eth0, pi-b: end0}`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        def expand(value: object) -> object:
            return value if isinstance(value, dict) else {EVERY_NODE: value}

        return {
            "type": "function-before",
            "function": {"type": "no-info", "function": expand},
            "schema": handler(source),
        }

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        table = handler(schema["schema"])
        return {"anyOf": [table["additionalProperties"], table]}


def _parse_node_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None


def _parse_vip(text: str) -> ipaddress.IPv4Interface:
    try:
        vip = ipaddress.IPv4Interface(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 address with its prefix, for example 192.0.2.100/24") from None
    if "/" not in text:
        raise ValueError(f"{text!r} lacks the prefix of its network, for example {text}/24")
    if unusable(vip):
        raise ValueError(f"{text!r} cannot be a virtual IP address")
    return vip


def _parse_interface(text: str) -> str:
    if not _INTERFACE_NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not a name of a network interface, for example eth0")
    return text


NodeAddress = Annotated[str, Text(_parse_node_address, r"[0-9a-fA-F.:]+", "192.0.2.11")]
Vip = Annotated[ipaddress.IPv4Interface, Text(_parse_vip, r"[0-9.]+/[0-9]+", "192.0.2.100/24")]
InterfaceName = Annotated[str, Text(_parse_interface, _INTERFACE_NAME.pattern, "eth0")]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSection:
    """The machines that make the pair, by host name, and each one's own address."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    nodes: Mapping[str, NodeAddress]

    def __post_init__(self) -> None:
        if not self.nodes:
            raise ValueError("name at least one node and its address")
        if len(set(self.nodes.values())) != len(self.nodes):
            raise ValueError("two nodes have the same address")


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualRouterSection:
    """Virtual IP addresses that move together between the nodes (RFC 9568)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    vrid: int
    """1 to 255, the same on both nodes and used by nobody else on this network."""
    interface: Annotated[Mapping[str, InterfaceName], PerNode()]
    addresses: tuple[Vip, ...]
    priority: Annotated[Mapping[str, int], PerNode()] = field(default_factory=lambda: {EVERY_NODE: 100})
    """1 to 254; the node with the highest is Active while it is well. 255 is for the owner of the addresses."""
    advertisement_interval_s: Seconds = 0.1
    preempt: bool = True
    """A node with a higher priority takes over from one with a lower one that is Active."""
    checksum: Literal["rfc5798", "rfc9568"] = "rfc5798"
    """The form that is sent; both are understood. Today's keepalived and FRR drop the newer one."""

    def __post_init__(self) -> None:
        if not 1 <= self.vrid <= 255:
            raise ValueError("vrid must be from 1 to 255")
        if not self.addresses:
            raise ValueError("a virtual router needs at least one address")
        if len(self.addresses) > 255:
            raise ValueError("addresses must be at most 255: an advertisement has no room for more")
        if len({vip.ip for vip in self.addresses}) != len(self.addresses):
            raise ValueError("the same address is listed twice")
        for node, priority in self.priority.items():
            if not 1 <= priority <= 255:
                raise ValueError(f"priority {'' if node == EVERY_NODE else f'of {node} '}must be from 1 to 255")
        interval_cs = self.advertisement_interval_s * 100
        if not 1 <= round(interval_cs) <= 4095 or abs(interval_cs - round(interval_cs)) > 1e-6:
            raise ValueError("advertisement_interval must be from 10ms to 40.95s, in steps of 10ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class HapairFile:
    """The whole file; the same on both nodes."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    pair: PairSection
    virtual_routers: Mapping[str, VirtualRouterSection] = field(default_factory=dict)
    frontends: Mapping[str, Frontend] = field(default_factory=dict)
    pools: Mapping[str, Pool] = field(default_factory=dict)
    workers: int | Literal["auto"] = "auto"
    """Processes that carry traffic; auto is the number of cores less one, at least 1."""
    drain_s: Seconds = 30.0
    """How long open connections may go on once a node is told to stop."""

    def __post_init__(self) -> None:
        if self.workers != "auto" and not 1 <= self.workers <= 64:
            raise ValueError("workers must be auto or from 1 to 64")
