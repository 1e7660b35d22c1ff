"""Who sent a request, and how: from the connection and, where it comes from a trusted proxy, from what that says. Pure.

A trusted proxy adds the address of its own peer at the right end of X-Forwarded-For. So the client is the first address
from the right that is not a trusted proxy itself; what stands further left was written by the client, and may be
anything. Forwarded (RFC 7239) is read where there is no X-Forwarded-For.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from balancer.http1.grammar import HOST
from balancer.networks import Networks, canonical

_PORT = re.compile(rb"[1-9][0-9]{0,4}+")
_BRACKETED = re.compile(rb"\[([0-9A-Fa-f:.]++)\](?::[0-9]++)?+")
_IPV4 = re.compile(rb"([0-9.]++)(?::[0-9]++)?+")
_IPV6 = re.compile(rb"([0-9A-Fa-f:.]++)")
_PAIR = re.compile(rb'[ \t]*+([!#$%&\'*+\-.^_`|~0-9A-Za-z]++)=(?:"((?:[^"\\]|\\.)*+)"|([^ \t;,"]++))[ \t]*+')
_SCHEMES = {b"http": "http", b"https": "https"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Who sent a request, and what it asked for there. `address` is who the client is, for everything that asks."""

    address: str
    """In canonical form (balancer.networks)."""
    scheme: str
    """`http` or `https`, as the client used it."""
    port: int
    """Where the client connected to."""
    host: bytes = b""
    """What the client's Host header was; empty: it is the one that came."""
    forwarded_for: bytes = b""
    """The value of X-Forwarded-For to send on; empty: just the address."""
    forwarded: bytes = b""
    """The value of Forwarded to send on; empty: just the address and the scheme."""


def fields_for(origin: Origin) -> bytes:
    """Field lines that tell a server all this, but for X-Forwarded-Host where it is the Host that came."""
    lines = [b"X-Forwarded-Host: " + origin.host] if origin.host else []
    lines += [
        b"X-Forwarded-For: " + (origin.forwarded_for or origin.address.encode("ascii")),
        b"X-Forwarded-Proto: " + origin.scheme.encode("ascii"),
        b"X-Forwarded-Port: %d" % origin.port,
        b"Forwarded: " + (origin.forwarded or _element(origin.address, origin.scheme)),
    ]
    return b"".join(line + b"\r\n" for line in lines)


@lru_cache(maxsize=4096)
def taken_over(direct: Origin, removed: tuple[bytes, ...], trusted: Networks) -> Origin:
    """The origin of a request whose peer (`direct.address`) is a trusted proxy.

    `removed` are the lines that were taken out of the head (RequestHead.removed), the proxy's own words among them.
    """
    said = _said(removed)
    chain = [member for value in said.get(b"x-forwarded-for", []) for member in _members(value)]
    elements = _elements(said.get(b"forwarded", []))
    nodes = chain or [element.get(b"for", b"unknown") for element in elements]
    last = elements[-1] if elements else {}
    scheme = _scheme(said) or _SCHEMES.get(last.get(b"proto", b"").lower())
    host = _last(said, b"x-forwarded-host") or last.get(b"host", b"")
    if not HOST.fullmatch(host):
        host = b""
    peer = _element(direct.address, direct.scheme)
    before = b", ".join(said[b"forwarded"]) if elements else b", ".join(map(_node_element, nodes))
    return Origin(
        address=_client(nodes, direct.address, trusted),
        scheme=scheme or direct.scheme,
        port=_port(_last(said, b"x-forwarded-port")) or _implied_port(host, scheme) or direct.port,
        host=host,
        forwarded_for=b", ".join((*(chain or map(_address_or_unknown, nodes)), direct.address.encode("ascii"))),
        forwarded=before + b", " + peer if before else peer,
    )


def _said(removed: tuple[bytes, ...]) -> dict[bytes, list[bytes]]:
    """Values by name. Names with an underscore are no words of a proxy's, and are not looked for."""
    said: dict[bytes, list[bytes]] = {}
    for line in removed:
        name, _, value = line[1:-1].partition(b":")
        said.setdefault(name.lower(), []).append(value.strip(b" \t"))
    return said


def _members(value: bytes) -> list[bytes]:
    return [member for part in value.split(b",") if (member := part.strip(b" \t"))]


def _last(said: dict[bytes, list[bytes]], name: bytes) -> bytes:
    """What the nearest proxy said."""
    members = _members(b",".join(said.get(name, [])))
    return members[-1] if members else b""


def _scheme(said: dict[bytes, list[bytes]]) -> str | None:
    return _SCHEMES.get(_last(said, b"x-forwarded-proto").lower())


def _port(value: bytes) -> int:
    return int(value) if _PORT.fullmatch(value) and int(value) <= 65535 else 0


def _implied_port(host: bytes, scheme: str | None) -> int:
    """A proxy that names a host or a scheme and no port: the port of the one, or the usual one of the other."""
    after_host = host.rpartition(b"]")[2] if host.startswith(b"[") else host
    return _port(after_host.partition(b":")[2]) or (0 if scheme is None else 443 if scheme == "https" else 80)


def _client(nodes: list[bytes], peer: str, trusted: Networks) -> str:
    """The first from the right that is not a trusted proxy; where all are, the leftmost one."""
    client = peer
    for node in reversed(nodes):
        address = node_address(node)
        if address is None:
            break  # `unknown`, or no address at all: the one who said so is all that is known
        client = address
        if address not in trusted:
            break
    return client


def node_address(node: bytes) -> str | None:
    """The address of a member of X-Forwarded-For or of a `for=`, with or without a port, or None."""
    for form in (_BRACKETED, _IPV4, _IPV6):
        if match := form.fullmatch(node):
            try:
                return canonical(match[1].decode("ascii"))
            except ValueError:
                return None
    return None


def _address_or_unknown(node: bytes) -> bytes:
    return (node_address(node) or "unknown").encode("ascii")


def _node_element(node: bytes) -> bytes:
    address = node_address(node)
    return b"for=" + (b"unknown" if address is None else _node(address))


def _node(address: str) -> bytes:
    return (f'"[{address}]"' if ":" in address else address).encode("ascii")


def _element(address: str, scheme: str) -> bytes:
    return b"for=%b;proto=%b" % (_node(address), scheme.encode("ascii"))


def _elements(values: list[bytes]) -> list[dict[bytes, bytes]]:
    """The elements of Forwarded fields: parameters by lower-case name, quotes removed. Malformed: none."""
    try:
        return [element for value in values for element in _elements_of(value)]
    except ValueError:
        return []


def _elements_of(value: bytes) -> Iterator[dict[bytes, bytes]]:
    element: dict[bytes, bytes] = {}
    at = 0
    while at < len(value):
        match = _PAIR.match(value, at)
        if match is None:
            raise ValueError
        quoted, plain = match[2], match[3]
        element[match[1].lower()] = plain if quoted is None else re.sub(rb"\\(.)", rb"\1", quoted)
        at = match.end()
        after = value[at : at + 1]
        if after not in (b"", b";", b","):
            raise ValueError
        if after != b";":
            yield element
            element = {}
        at += 1
        if after and at == len(value):
            raise ValueError
