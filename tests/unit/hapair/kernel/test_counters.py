"""Counters of nft in the words of the status."""

from balancer.config import BalancerConfig
from balancer.kernel.services import Count, services
from hapair.kernel import counters

COUNTERS = {
    "f0_web_4_0_a_new": Count(3, 180),
    "f0_web_4_0_a_in": Count(30, 3000),
    "f0_web_4_1_b_out": Count(40, 4000),
    "f0_web_4_refused": Count(5, 300),
    "f1_dns_4_0_a_new": Count(2, 120),
    "f1_dns_4_0_a_in": Count(7, 700),
    "f1_dns_4_0_a_out": Count(6, 600),
}


def test_of_a_frontend_and_of_a_server(config: BalancerConfig) -> None:
    known = services(config, {}, 3)
    web = counters.of_frontend(known, "web", COUNTERS)
    assert (web.connections, web.bytes_in, web.bytes_out, web.datagrams_in) == (3, 3000, 4000, 0)
    dns = counters.of_frontend(known, "dns", COUNTERS)
    assert (dns.connections, dns.bytes_in, dns.datagrams_in, dns.datagrams_out) == (2, 700, 7, 6)
    a = counters.of_server(known, "web", "a", COUNTERS)
    assert (a.connections, a.bytes_in, a.bytes_out, a.datagrams_in) == (5, 3700, 600, 7)
    assert counters.of_server(known, "other", "a", COUNTERS) == counters.NONE


def test_who_was_refused(config: BalancerConfig) -> None:
    known = services(config, {}, 3)
    assert [counters.refused(known, name, COUNTERS) for name in ("web", "dns")] == [5, 0]
