"""A nameserver of this test's own, on the loopback."""

from collections.abc import Awaitable, Callable, Mapping

import dns.message
import dns.rcode
import dns.rrset
import pytest
import trio

from balancer import nameserver
from balancer.config_discovery import Resolve
from balancer.fieldtypes import Endpoint
from balancer.resolution import Answer, Failure, Question
from balancer.standing import Place

ZONE: Mapping[tuple[str, str], tuple[int, tuple[str, ...]]] = {
    ("app.internal.", "A"): (7, ("192.0.2.1", "192.0.2.2")),
    ("app.internal.", "AAAA"): (90, ("2001:DB8:0::1",)),
    ("six.internal.", "AAAA"): (5, ("2001:db8::6",)),
    ("_http._tcp.app.internal.", "SRV"): (
        *(30,),
        ("10 5 8080 app.internal.", "20 1 8081 six.internal.", "10 1 1 gone.internal."),
    ),
    ("_none._tcp.app.internal.", "SRV"): (30, ("0 0 0 .",)),
    ("_gone._tcp.app.internal.", "SRV"): (30, ("10 1 1 gone.internal.",)),
}
EMPTY = {"six.internal."}
"""Names that are there, without a record of what else is asked."""

Ask = Callable[[str, Resolve], Awaitable[Answer | Failure]]


def answer_to(data: bytes) -> bytes | None:
    query = dns.message.from_wire(data)
    name, kind = query.question[0].name.to_text(), query.question[0].rdtype.name
    response = dns.message.make_response(query)
    if name == "silent.internal.":
        return None
    if (name, kind) in ZONE:
        ttl, records = ZONE[name, kind]
        response.answer.append(dns.rrset.from_text(name, ttl, "IN", kind, *records))
    elif name == "broken.internal.":
        response.set_rcode(dns.rcode.SERVFAIL)
    elif name not in EMPTY:
        response.set_rcode(dns.rcode.NXDOMAIN)
    return response.to_wire()


@pytest.fixture
async def ask(nursery: trio.Nursery) -> Ask:
    server = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
    await server.bind(("127.0.0.1", 0))

    async def serve() -> None:
        with server:
            while True:
                data, client = await server.recvfrom(4096)
                if (answer := answer_to(data)) is not None:
                    await server.sendto(answer, client)

    nursery.start_soon(serve)
    own = (Endpoint("127.0.0.1", server.getsockname()[1]),)

    async def ask(name: str, resolve: Resolve) -> Answer | Failure:
        host, _, port = name.partition(":")
        settings = Resolve(family=resolve.family, timeout_s=resolve.timeout_s, nameservers=own)
        return await nameserver.ask(Question(Endpoint(host, int(port or 0)), settings))

    return ask


V6 = Place(Endpoint("2001:db8::1", 80))
V4 = (Place(Endpoint("192.0.2.1", 80)), Place(Endpoint("192.0.2.2", 80)))


@pytest.mark.parametrize(
    ("name", "resolve", "answer"),
    [
        ("app.internal:80", Resolve(), Answer(V4, 7.0)),
        ("app.internal:80", Resolve(family="ipv6_first"), Answer((V6,), 90.0)),
        ("app.internal:80", Resolve(family="both"), Answer((*V4, V6), 7.0)),
        ("six.internal:80", Resolve(), Answer((Place(Endpoint("2001:db8::6", 80)),), 5.0)),
        (
            "six.internal:80",
            Resolve(family="ipv4"),
            Failure("no address: six.internal has no record of what was asked"),
        ),
        ("gone.internal:80", Resolve(), Failure("NXDOMAIN: nobody knows gone.internal")),
        (
            "broken.internal:80",
            Resolve(),
            Failure("resolver: no nameserver answers for broken.internal (SERVFAIL or REFUSED)"),
        ),
        (
            "silent.internal:80",
            Resolve(timeout_s=0.2),
            Failure("timeout: no answer for silent.internal within 0.2s"),
        ),
    ],
)
async def test_addresses(ask: Ask, name: str, resolve: Resolve, answer: Answer | Failure) -> None:
    assert await ask(name, resolve) == answer


async def test_services_with_the_addresses_of_their_targets(ask: Ask) -> None:
    assert await ask("_http._tcp.app.internal", Resolve()) == Answer(
        (
            Place(Endpoint("192.0.2.1", 8080), 5, False),
            Place(Endpoint("192.0.2.2", 8080), 5, False),
            Place(Endpoint("2001:db8::6", 8081), 1, True),
        ),
        5.0,
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("_none._tcp.app.internal", "no address: _none._tcp.app.internal says that there is no such service"),
        ("_gone._tcp.app.internal", "no address: gone.internal, of _gone._tcp.app.internal, has none"),
        ("_what._tcp.app.internal", "NXDOMAIN: nobody knows _what._tcp.app.internal"),
    ],
)
async def test_services_that_there_are_not(ask: Ask, name: str, reason: str) -> None:
    assert await ask(name, Resolve()) == Failure(reason)
