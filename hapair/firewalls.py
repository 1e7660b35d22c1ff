"""What firewalls of others on this machine do with what is forwarded, read from their rules. Pure.

A new flow to a server of the kernel plane is led through every chain of the forward hook, as far as the rules can be
read: what they say of addresses, ports, protocols and the state of a connection. Of a rule that says more, it is not
known whether it is met.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Literal, NamedTuple

OWN_TABLE = "hapair"
_VERDICT = re.compile(r"(accept|drop|return|reject\b.*|(?:jump|goto) \S+)$")
_WITHOUT_MEANING = re.compile(
    r'counter packets \d+ bytes \d+|counter\b|comment "[^"]*"|log\b(?: prefix "[^"]*"| \w+ \w+)*'
)
_HOOK = re.compile(r"type filter hook forward priority [^;]+; policy (\w+);")
_CLAUSES = {
    "daddr": re.compile(r"ip6? daddr (!= )?([0-9a-f.:/]+)"),
    "dport": re.compile(r"(tcp|udp) dport (!= )?([0-9]+)(?:-([0-9]+))?"),
    "protocol": re.compile(r"(?:meta l4proto|ip protocol|ip6 nexthdr) (!= )?([a-z0-9-]+)"),
    "state": re.compile(r"ct state (?:\{ )?(!= )?([a-z, ]+?)(?: \})?(?= |$)"),
    "status": re.compile(r"ct status (?:& )?(?:\{ )?dnat(?: == dnat)?(?: \})?"),
    "lo": re.compile(r'(?:iif|oif|iifname|oifname) "lo"'),
}
_NUMBERS = {"tcp": "6", "udp": "17"}


class Flow(NamedTuple):
    """The first packet of a new one, as it is once its server is chosen."""

    protocol: str
    host: str
    port: int


@dataclass(slots=True)
class Chain:
    """`policy`: of the forward hook; None: it is no chain of that hook."""

    rules: list[str] = field(default_factory=list)
    policy: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """By name its chains."""

    family: str
    name: str
    chains: Mapping[str, Chain]

    @property
    def owner(self) -> str:
        """The program whose it is, as far as its names tell."""
        if self.name == "firewalld":
            return "firewalld"
        if any(name.startswith("DOCKER") for name in self.chains):
            return "Docker"
        return "ufw" if any(name.startswith("ufw") for name in self.chains) else ""


class Fate(NamedTuple):
    """What becomes of a flow in a chain. `by`: the rule, where it is one; `perhaps`: one that may accept it before."""

    verdict: Literal["accept", "drop", ""]
    by: str = ""
    perhaps: str = ""


class Obstacle(NamedTuple):
    """A chain that drops flows to servers."""

    table: Table
    chain: str
    flows: tuple[Flow, ...]
    fate: Fate


def tables_in(listed: str) -> list[Table]:
    """From what `nft -t list ruleset` prints."""
    tables: list[Table] = []
    chains: dict[str, Chain] = {}
    chain: Chain | None = None
    for line in map(str.strip, listed.splitlines()):
        words = line.split()
        if line.startswith("table ") and line.endswith("{"):
            chains = {}
            tables.append(Table(words[1], words[2], chains))
        elif line.startswith("chain ") and line.endswith("{"):
            chain = chains.setdefault(words[1], Chain())
        elif line == "}":
            chain = None
        elif chain is not None and line.startswith("type "):
            chain.policy = match[1] if (match := _HOOK.match(line)) else None
        elif chain is not None and line:
            chain.rules.append(line)
    return tables


def obstacles(tables: Collection[Table], flows: Collection[Flow]) -> Iterator[Obstacle]:
    """The chains of others that drop some of these flows."""
    for table in tables:
        families = {"ip": (False,), "ip6": (True,), "inet": (False, True)}.get(table.family, ())
        for name, chain in table.chains.items() if table.name != OWN_TABLE else ():
            if chain.policy is None:
                continue
            fates = {one: _end(table, name, one) for one in flows if (":" in one.host) in families}
            dropped = [one for one, fate in fates.items() if fate.verdict == "drop"]
            if dropped:
                yield Obstacle(table, name, tuple(dropped), fates[dropped[0]])


def advice(obstacle: Obstacle) -> list[str]:
    """What is to be typed: all of it."""
    table, is_ipv6 = obstacle.table, ":" in obstacle.flows[0].host
    match table.owner:
        case "Docker" if "DOCKER-USER" in table.chains:
            return [f"{'ip6tables' if is_ipv6 else 'iptables'} -I DOCKER-USER -m conntrack --ctstate DNAT -j ACCEPT"]
        case "ufw":
            return [f"ufw route allow proto {one.protocol} to {one.host} port {one.port}" for one in obstacle.flows]
    return [f"nft insert rule {table.family} {table.name} {obstacle.chain} ct status dnat accept"]


def _end(table: Table, name: str, flow: Flow) -> Fate:
    fate = _walk(table, name, flow)
    if fate.verdict:
        return fate
    policy = table.chains[name].policy
    return fate._replace(verdict="drop" if policy == "drop" else "accept", by=f"its policy is {policy}")


def _walk(table: Table, name: str, flow: Flow) -> Fate:
    perhaps = ""
    for rule in table.chains[name].rules if name in table.chains else ():
        match = _VERDICT.search(rule)
        met = is_met(rule[: match.start()], flow) if match else False
        if match is None or met is False:
            continue
        verb, _, target = match[1].partition(" ")
        if verb in ("jump", "goto"):
            fate = _walk(table, target, flow)
        else:
            fate = Fate({"accept": "accept", "return": ""}.get(verb, "drop"), rule)  # type: ignore[arg-type]
        perhaps = perhaps or fate.perhaps or (rule if met is None and fate.verdict == "accept" else "")
        if met and (fate.verdict or verb in ("goto", "return")):
            return fate._replace(perhaps=perhaps)
    return Fate("", perhaps=perhaps)


def is_met(conditions: str, flow: Flow) -> bool | None:
    """Whether these conditions of a rule are met by a flow; None: they say what cannot be told."""
    rest = _WITHOUT_MEANING.sub(" ", conditions)
    for kind, pattern in _CLAUSES.items():
        for match in pattern.finditer(rest):
            if not _holds(kind, match, flow):
                return False
        rest = pattern.sub(" ", rest)
    return True if not rest.split() else None


def _holds(kind: str, match: "re.Match[str]", flow: Flow) -> bool:
    match kind:
        case "daddr":
            network = ip_network(match[2], strict=False)
            return (ip_address(flow.host) in network) != bool(match[1])
        case "dport":
            first = int(match[3])
            inside = first <= flow.port <= int(match[4] or first)
            return flow.protocol == match[1] and inside != bool(match[2])
        case "protocol":
            return (match[2] in (flow.protocol, _NUMBERS[flow.protocol])) != bool(match[1])
        case "state":
            return ("new" in re.split(r"[, ]+", match[2])) != bool(match[1])
    return kind == "status"
