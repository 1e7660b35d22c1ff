"""The rules of direct server return, as text for `nft -f -`. Pure.

A table `netdev hapair`: a frame for the VIP gets the MAC address of a server, chosen by a hash of the client, and goes
out where it came in. Nothing is remembered, so there is nothing to lose: the other node would choose the same server.

An ICMP error goes where the packet went that it quotes: the hash is taken of what stands in the quotation. A fragment
of UDP has no port: UDP is chosen by addresses alone, and its fragments follow.
"""

from collections.abc import Iterator, Sequence

from balancer.kernel import vip_checks
from balancer.kernel.services import Lane, Service

SEED = 0x68617061
_PRIORITY = -450
"""After those of a handover, which know better; before conntrack and everything else."""
_TCP, _UDP = 6, 17
_ERRORS = {
    4: "icmp type { destination-unreachable, time-exceeded, parameter-problem }",
    6: "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }",
}


def table(services: Sequence[Service]) -> Iterator[str]:
    """The lines of the table; none where nothing is forwarded so."""
    if not services:
        return
    yield "table netdev hapair {"
    for service in services:
        for server in service.servers:
            for what in ("new", "in", "out"):
                yield f"counter {service.counter_of(server)}_{what} {{ }}"
        if service.choice:
            yield f"map {service.name}_places {{"
            yield f"typeof numgen inc mod {len(service.choice)} : verdict"
            yield "}"
            yield from _sending(service)
    for number, lane in enumerate(dict.fromkeys(_lane(service) for service in services)):
        yield f"chain arriving_{number} {{"
        yield f'type filter hook ingress device "{lane.device}" priority {_PRIORITY}'
        for service in services:
            if service.choice and service.lane == lane:
                yield from _rules(service, lane)
        yield from vip_checks.arriving(services, lane.device)
        yield "}"
    yield from _checks(services)
    yield "}"


def _checks(services: Sequence[Service]) -> Iterator[str]:
    """What makes checks at a VIP leave: see balancer.kernel.vip_checks."""
    for number, device in enumerate(dict.fromkeys(_lane(service).device for service in services)):
        if rules := list(vip_checks.leaving(services, device)):
            yield f"chain checking_{number} {{"
            yield f'type filter hook egress device "{device}" priority 0'
            yield from rules
            yield "}"


def _lane(service: Service) -> Lane:
    assert service.lane is not None
    return service.lane


def _rules(service: Service, lane: Lane) -> Iterator[str]:
    """The first that matches sends it on, so every packet of a client is looked at as little as may be."""
    ip, protocol = ("ip6" if service.is_ipv6 else "ip"), service.protocol
    addressed = f"ether daddr {lane.reached_by[0]}"
    if len(lane.reached_by) > 1:
        addressed = f"ether daddr {{ {', '.join(lane.reached_by)} }}"
    by_address = service.policy == "source_hash" or protocol == "udp"
    client = f"{ip} saddr" if by_address else f"{ip} saddr . tcp sport"
    for one in service.listen:
        to_vip = f"{ip} daddr {one.host} {addressed}"
        yield f"{to_vip} {protocol} dport {one.port_text} {_to(service, client)}"
        yield f"{to_vip} {_quoting(service, one.port_text)} {_to(service, _quoted_client(service, by_address))}"
        if protocol == "udp" and not service.is_ipv6:
            yield f"{to_vip} ip protocol udp ip frag-off & 0x1fff != 0 {_to(service, client)}"
        if protocol == "udp" and service.is_ipv6:
            yield f"{to_vip} frag frag-off != 0 {_to(service, client)}"


def _to(service: Service, hashed: str) -> str:
    return f"jhash {hashed} mod {len(service.choice)} seed {SEED:#x} vmap @{service.name}_places"


def way_to(service: Service, server: str) -> str:
    """The chain that sends a frame to a server."""
    return f"{service.counter_of(server)}_way"


def _sending(service: Service) -> Iterator[str]:
    """For each server: count a frame, write both addresses into it at once, send it out again."""
    lane = _lane(service)
    for server, mac in service.macs.items():
        counter, addresses = service.counter_of(server), f"{mac}{lane.own_mac}".replace(":", "")
        yield f"chain {way_to(service, server)} {{"
        if service.protocol == "tcp":
            yield f'tcp flags & (syn | ack) == syn counter name "{counter}_new"'
        yield f'counter name "{counter}_in" @ll,0,96 set 0x{addresses} fwd to "{lane.device}"'
        yield "}"


def _quoting(service: Service, port: str) -> str:
    """An ICMP error whose quotation was sent from this port, or one of these, of the VIP."""
    protocol = _TCP if service.protocol == "tcp" else _UDP
    if service.is_ipv6:
        return f"{_ERRORS[6]} @th,112,8 {protocol} @th,384,16 {port}"
    return f"{_ERRORS[4]} @th,136,8 {protocol} @th,224,16 {port}"


def _quoted_client(service: Service, by_address: bool) -> str:
    if service.is_ipv6:
        return "@th,256,128" if by_address else "@th,256,128 . @th,400,16"
    return "@th,192,32" if by_address else "@th,192,32 . @th,240,16"
