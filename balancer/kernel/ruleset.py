"""The nftables rules of the kernel plane, as text for `nft -f -`. Pure.

One table, `inet hapair`; direct server return has another (balancer.kernel.ruleset_dsr). A new flow to a VIP that this
machine holds gets a place by a hash of its client (or in turn), and with it a server; it leaves under the VIP as its
sender, so that the server answers to whoever holds the VIP. The kernel remembers the rest. Chains that carry the name
of a service are one frontend's for one family of addresses:

    incoming        unknown flows that begin in the middle are dropped: they may be on their way from the other node
    choosing        new flows from elsewhere, and (choosing_local) from this machine
    leaving         the VIP becomes the sender
    passing         bytes are counted; the flows of a server that is DOWN are reset, towards both ends
    there, back     the same of each direction; those with `_cut` are gone through while such a server is there
    passing_output, passing_input   the same of flows that this machine itself has begun
    nobody          a frontend without a server refuses, whatever else listens on this machine
    syn_raw, syn_proxy  with `syn_proxy`: this machine shakes hands first
    own, own_raw    no ICMP redirect is sent to clients on the servers' LAN; what makes a dead flow speak is not tracked
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from balancer.fieldtypes import Endpoint
from balancer.kernel import ruleset_dsr
from balancer.kernel.services import Service

TABLE = "hapair"
SEED = 0x68617061
"""Of the hash: the same on both nodes."""
POKE_MARK = 0x68617061
"""Of packets that are sent under another's name: see balancer.kernel.pokes."""
_WAYS = {"original": "there", "reply": "back"}
_NOT_A_BEGINNING = "tcp flags & (fin | syn | rst | ack) != syn"
_BEGINNING = "tcp flags & (fin | syn | rst | ack) == syn"


def removal() -> str:
    """No rule is left, whatever was there."""
    return "".join(f"add table {family} {TABLE}\ndelete table {family} {TABLE}\n" for family in ("inet", "netdev"))


def whole(services: Sequence[Service]) -> str:
    """All of it, in place of whatever there was: in one transaction there is no gap."""
    places = [line for service in services for line in _add_places(service, range(len(service.choice)))]
    direct = ruleset_dsr.table([service for service in services if service.lane is not None])
    empty = [service for service in services if not service.choice]
    services = [service for service in services if service.lane is None]
    lines = [*direct, f"table inet {TABLE} {{"]
    first = {service.shared: service for service in reversed(services)}
    for service in services:
        lines += _counters(service)
        lines += _sets(service)
        if service is first[service.shared]:
            lines += _limit_sets(service)
        lines += _chain(service.name, _choice(service))
        lines += _chain(f"{service.name}_leaving", _leaving_of(service))
        lines += _passing(service)
    lines += _chain("incoming", _incoming(services), "filter hook prerouting priority -150")
    lines += _chain("choosing", _choosing(services), "nat hook prerouting priority -110")
    lines += _chain("choosing_local", _choosing(services), "nat hook output priority -110")
    lines += _chain("leaving", _leaving(services), "nat hook postrouting priority 90")
    lines += _chain("passing", _dispatch(services), "filter hook forward priority -10")
    for way in ("input", "output"):
        lines += _chain(f"passing_{way}", _dispatch_own(services), f"filter hook {way} priority -10")
    lines += _chain("own", _own(services), "filter hook output priority 0")
    lines += _chain("own_raw", [f"meta mark {POKE_MARK:#x} notrack"], "filter hook output priority -300")
    if empty:
        lines += _chain("nobody", _refusing(empty), "filter hook input priority -20")
    if guarded := [service for service in services if service.syn_proxy and service.choice]:
        lines += _chain("syn_raw", _unguarded(guarded), "filter hook prerouting priority -300")
        lines += _chain("syn_proxy", _guarding(guarded), "filter hook input priority -10")
    lines += ["}", *places]
    for service in services:
        lines += _add_cut(service)
    return removal() + "\n".join(lines) + "\n"


def difference(before: Sequence[Service], after: Sequence[Service]) -> str | None:
    """What changes where servers flipped: the places that move and no others. None: more than that has changed."""
    if [_fixed(one) for one in before] != [_fixed(one) for one in after]:
        return None
    lines: list[str] = []
    for old, new in zip(before, after, strict=True):
        lines += _moved(old, new)
        if old.cut != new.cut:
            lines.append(f"flush set inet {TABLE} {new.name}_cut")
            lines += _add_cut(new)
        if new.protocol == "tcp" and bool(old.cut) != bool(new.cut):
            lines.append(f"delete element inet {TABLE} {new.name}_ways {{ {', '.join(_WAYS)} }}")
            lines.append(f"add element inet {TABLE} {new.name}_ways {{ {_ways(new)} }}")
    return "".join(f"{line}\n" for line in lines)


def _fixed(service: Service) -> tuple[object, ...]:
    size = len(service.choice)
    of_file = (service.name, service.protocol, service.listen, service.servers, service.policy, service.limits)
    return (*of_file, service.syn_proxy, service.lane, service.macs, size > 0)


def _moved(old: Service, new: Service) -> Iterator[str]:
    moved = [place for place, server in enumerate(new.choice) if old.choice[place] != server]
    if moved:
        yield f"delete element {_family(new)} {TABLE} {new.name}_places {{ {', '.join(map(str, moved))} }}"
        yield from _add_places(new, moved)


def _add_places(service: Service, places: Iterable[int]) -> Iterator[str]:
    listed = [f"{place} : {_value(service, service.choice[place])}" for place in places]
    if listed:
        yield f"add element {_family(service)} {TABLE} {service.name}_places {{ {', '.join(listed)} }}"


def _value(service: Service, server: str) -> str:
    if service.lane is not None:
        return f"goto {ruleset_dsr.way_to(service, server)}"
    return service.servers[server].host if service.is_range else _end(service.servers[server])


def _family(service: Service) -> str:
    return "inet" if service.lane is None else "netdev"


def _add_cut(service: Service) -> Iterator[str]:
    listed = [_end(service.servers[name]) for name in sorted(service.cut)]
    if listed:
        yield f"add element inet {TABLE} {service.name}_cut {{ {', '.join(listed)} }}"


# -- parts of a service ---------------------------------------------------------------------------------------------


def _ip(service: Service) -> str:
    return "ip6" if service.is_ipv6 else "ip"


def _end(endpoint: Endpoint) -> str:
    return f"{endpoint.host} . {endpoint.port_text}"


def _address(service: Service) -> str:
    return "ipv6_addr" if service.is_ipv6 else "ipv4_addr"


def _block(kind: str, name: str, *lines: str) -> Iterator[str]:
    yield f"{kind} {name} {{"
    yield from lines
    yield "}"


def _chain(name: str, rules: Iterable[str], hook: str | None = None) -> Iterator[str]:
    return _block("chain", name, *([f"type {hook}"] if hook else []), *rules)


def _counters(service: Service) -> Iterator[str]:
    for server in service.servers:
        for what in ("new", "in", "out"):
            yield f"counter {service.counter_of(server)}_{what} {{ }}"


def _sets(service: Service) -> Iterator[str]:
    places = len(service.choice)
    if places:
        value = f"{_ip(service)} daddr" + ("" if service.is_range else " . th dport")
        yield from _block("map", f"{service.name}_places", f"typeof numgen inc mod {places} : {value}")
    kind = [f"type {_address(service)} . inet_service", *(["flags interval"] if service.is_range else [])]
    yield from _block("set", f"{service.name}_cut", *kind)


def _limit_sets(service: Service) -> Iterator[str]:
    """What all ranges of ports of a frontend share."""
    yield f"counter {service.shared}_refused {{ }}"
    limits, kind = service.limits, f"type {_address(service)}"
    for name, networks in (("allow", limits.allow), ("deny", limits.deny)):
        own = [network for network in networks if (":" in network) == service.is_ipv6]
        if networks:
            elements = [f"elements = {{ {', '.join(own)} }}"] if own else []
            yield from _block("set", f"{service.shared}_{name}", kind, "flags interval", "auto-merge", *elements)
    if limits.connection_rate is not None:
        lines = (f"size {limits.clients}", "flags dynamic,timeout", "timeout 1m")
        yield from _block("set", f"{service.shared}_rate", kind, *lines)
    if limits.connections is not None:
        yield from _block("set", f"{service.shared}_open", kind, f"size {limits.clients}", "flags dynamic")


def _choice(service: Service) -> Iterator[str]:
    yield from _limits(service)
    if not service.choice:
        return  # nobody is there: this machine itself refuses
    ip, places = _ip(service), len(service.choice)
    match service.policy:
        case "source_hash":
            place = f"jhash {ip} saddr mod {places} seed {SEED:#x}"
        case "random":
            place = f"jhash {ip} saddr . {service.protocol} sport mod {places} seed {SEED:#x}"
        case _:
            place = f"numgen inc mod {places}"
    to = f"dnat {ip} to {place} map @{service.name}_places{_port_in_range(service)}"
    yield f"meta l4proto {service.protocol} ct event set {_events(service)} {to}"


def _events(service: Service) -> str:
    """What is to be told of a flow. Who hears of events is the flows process, and each one costs."""
    if service.syn_proxy:
        return "destroy"  # the other node could not take it over
    return "protoinfo,destroy" if service.protocol == "tcp" else "reply,destroy"


def _port_in_range(service: Service) -> str:
    """Servers of a pool have one first port, so where it is the VIP's every packet keeps its port."""
    first, to = service.listen[0].port, next(iter(service.servers.values())).port
    if not service.is_range or to == first:
        return ""
    each = ", ".join(f"{first + i} : {to + i}" for i in range(service.listen[0].ports))
    return f" : {service.protocol} dport map {{ {each} }}"


def _limits(service: Service) -> Iterator[str]:
    limits, ip = service.limits, _ip(service)
    refuse = f"counter name {service.shared}_refused drop"
    if limits.deny:
        yield f"{ip} saddr @{service.shared}_deny {refuse}"
    if limits.allow:
        yield f"{ip} saddr != @{service.shared}_allow {refuse}"
    client = f"ip6 saddr & {_mask(limits.ipv6_prefix)}" if service.is_ipv6 else "ip saddr"
    if limits.connection_rate is not None:
        rate = f"limit rate over {_rate(limits.connection_rate)} burst {limits.most_new} packets"
        yield f"update @{service.shared}_rate {{ {client} {rate} }} {refuse}"
    if limits.connections is not None:
        yield f"add @{service.shared}_open {{ {client} ct count over {limits.connections} }} {refuse}"


def _mask(prefix: int) -> str:
    bits = ((1 << prefix) - 1) << (128 - prefix)
    return ":".join(f"{bits >> shift & 0xFFFF:x}" for shift in range(112, -1, -16))


def _rate(per_second: float) -> str:
    for unit, seconds in (("second", 1), ("minute", 60)):
        if float(per_second * seconds).is_integer():
            return f"{per_second * seconds:.0f}/{unit}"
    return f"{max(1, round(per_second * 3600))}/hour"


def _passing(service: Service) -> Iterator[str]:
    """Every packet comes by here, so the way is short: what resets is on it only while there is something to reset."""
    for direction, way in _WAYS.items():
        end, what = ("daddr . th dport", "in") if direction == "original" else ("saddr . th sport", "out")
        server = f"{_ip(service)} {end}"
        yield from _chain(f"{service.name}_{way}", [_counted(service, server, what)])
        if service.protocol == "tcp":
            reset = f"{server} @{service.name}_cut reject with tcp reset"
            yield from _chain(f"{service.name}_{way}_cut", [reset, f"goto {service.name}_{way}"])
    elements = f"elements = {{ {_ways(service)} }}"
    yield from _block("map", f"{service.name}_ways", "type ct_dir : verdict", elements)
    yield from _chain(f"{service.name}_passing", [f"ct direction vmap @{service.name}_ways"])


def _ways(service: Service) -> str:
    suffix = "_cut" if service.cut and service.protocol == "tcp" else ""
    return ", ".join(f"{direction} : goto {service.name}_{way}{suffix}" for direction, way in _WAYS.items())


def _leaving_of(service: Service) -> Iterator[str]:
    """The first packet of each flow, on its way to the server."""
    yield _counted(service, f"{_ip(service)} daddr . {service.protocol} dport", "new")
    for vip in _vips(service):
        yield f"ct original {_ip(service)} daddr {vip} snat {_ip(service)} to {vip}"


def _counted(service: Service, key: str, what: str) -> str:
    """Where two servers have the same address, what it does is the first one's."""
    owners = {endpoint: name for name, endpoint in reversed(list(service.servers.items()))}
    counters = (f'{_end(one)} : "{service.counter_of(owners[one])}_{what}"' for one in sorted(owners, key=str))
    return f"counter name {key} map {{ {', '.join(counters)} }}"


# -- what all services share ----------------------------------------------------------------------------------------


def _incoming(services: Sequence[Service]) -> Iterator[str]:
    if services:
        yield "ct state established,related accept"
    for service in services:
        ip, protocol = _ip(service), service.protocol
        unknown = f"{_NOT_A_BEGINNING} ct state invalid,new" if protocol == "tcp" else "ct state invalid,new"
        servers = ", ".join(map(_end, dict.fromkeys(service.servers.values())))
        for vip, port in _ports(service) if protocol == "tcp" and not service.syn_proxy else ():
            yield f"{ip} daddr {vip} tcp dport {port} {unknown} drop"
        for vip in _vips(service):
            yield f"{ip} daddr {vip} {ip} saddr . {protocol} sport {{ {servers} }} {unknown} drop"


def _refusing(services: Sequence[Service]) -> Iterator[str]:
    for service in services:
        how = "reject with tcp reset" if service.protocol == "tcp" else "reject"
        for vip, port in _ports(service):
            yield f"{_ip(service)} daddr {vip} {service.protocol} dport {port} {how}"


def _unguarded(services: Sequence[Service]) -> Iterator[str]:
    """What begins a flow is not remembered, and so comes to this machine itself."""
    for service in services:
        for vip, port in _ports(service):
            yield f"{_ip(service)} daddr {vip} tcp dport {port} fib daddr type local {_BEGINNING} notrack"


def _guarding(services: Sequence[Service]) -> Iterator[str]:
    """It is answered with a cookie; with who brings that back a flow begins, as one from this machine to the VIP."""
    for service in services:
        mss = 1440 if service.is_ipv6 else 1460
        for vip, port in _ports(service):
            to_vip = f"{_ip(service)} daddr {vip} tcp dport {port}"
            yield f"{to_vip} ct state invalid,untracked synproxy mss {mss} wscale 7 timestamp sack-perm"
            yield f"{to_vip} ct state invalid drop"


def _choosing(services: Sequence[Service]) -> Iterator[str]:
    for is_ipv6, family in groupby(sorted(services, key=lambda one: one.is_ipv6), lambda one: one.is_ipv6):
        ip = "ip6" if is_ipv6 else "ip"
        ways = (
            f"{endpoint.host} . {one.protocol} . {endpoint.port_text} : goto {one.name}"
            for one in family
            for endpoint in one.listen
        )
        yield f"fib daddr type local {ip} daddr . meta l4proto . th dport vmap {{ {', '.join(ways)} }}"


def _leaving(services: Sequence[Service]) -> Iterator[str]:
    for service in services:
        for vip, port in _ports(service):
            yield f"{_began_at(service, vip, port)} ct status dnat goto {service.name}_leaving"


def _dispatch(services: Sequence[Service]) -> Iterator[str]:
    for service in services:
        for vip, port in _ports(service):
            yield f"{_began_at(service, vip, port)} goto {service.name}_passing"


def _dispatch_own(services: Sequence[Service]) -> Iterator[str]:
    """A reset on its way may be our own answer to an end of a flow that is cut: no more must become of it."""
    for service, rule in zip((one for one in services for _ in _ports(one)), _dispatch(services), strict=True):
        yield f"ct status dnat {'tcp flags & rst == 0 ' if service.protocol == 'tcp' else ''}{rule}"


def _began_at(service: Service, vip: str, port: str) -> str:
    return f"meta l4proto {service.protocol} ct original {_ip(service)} daddr {vip} ct original proto-dst {port}"


def _own(services: Sequence[Service]) -> Iterator[str]:
    for vip in dict.fromkeys(vip for service in services if not service.is_ipv6 for vip in _vips(service)):
        yield f"icmp type redirect ct original ip daddr {vip} drop"


def _ports(service: Service) -> Iterator[tuple[str, str]]:
    """Each VIP, and each port or range of ports. One rule for each: nft 1.0 puts a set of `ct original proto-dst` into
    the wrong order."""
    return ((one.host, one.port_text) for one in service.listen)


def _vips(service: Service) -> Iterable[str]:
    return dict.fromkeys(one.host for one in service.listen)
