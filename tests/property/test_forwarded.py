"""Who the client is, for any words of any proxy: an attacker can write the left end of a list and nothing else."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from balancer.config import HttpLimits
from balancer.http1.forward import RequestForwarder
from balancer.http1.forwarded import Origin, taken_over
from balancer.http1.request import parse_request
from balancer.networks import Networks

TRUSTED = Networks(("10.0.0.0/8",))
DIRECT = Origin("10.0.0.1", "http", 80)
VALUES = st.binary(max_size=60).map(lambda raw: bytes(b for b in raw if b == 9 or (b >= 32 and b != 127)))
PROXIES = st.lists(st.integers(2, 250).map(lambda number: f"10.0.0.{number}".encode()), max_size=4)
CLIENTS = st.ip_addresses().map(str).filter(lambda address: not address.startswith(("10.", "::ffff")))


@given(st.lists(VALUES, max_size=3), CLIENTS, PROXIES)
def test_whatever_a_client_wrote_it_is_the_one_that_the_first_trusted_proxy_saw(
    written: list[bytes], client: str, proxies: list[bytes]
) -> None:
    lines = [b"\nX-Forwarded-For:" + value + b"\r" for value in written]
    lines.append(b"\nX-Forwarded-For: " + b", ".join((client.encode(), *proxies)) + b"\r")
    assert taken_over(DIRECT, tuple(lines), TRUSTED).address == client


NAMES = st.sampled_from((b"X-Forwarded-For", b"Forwarded", b"X-Forwarded-Host"))


@given(st.lists(st.tuples(NAMES, VALUES), max_size=4))
def test_any_words_give_an_address_and_a_head_that_parses(said: list[tuple[bytes, bytes]]) -> None:
    request = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"%b:%b\r\n" % field for field in said) + b"\r\n"
    head = parse_request(request, HttpLimits())
    assert head is not None
    origin = taken_over(DIRECT, head.removed, TRUSTED)
    ipaddress.ip_address(origin.address)
    sent = RequestForwarder(origin, b"here").forward(head)
    again = parse_request(sent, HttpLimits())
    assert again is not None
    assert again.size == len(sent)
    assert taken_over(DIRECT, again.removed, TRUSTED).address == origin.address
