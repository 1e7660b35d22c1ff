"""A server that must pass at its own address and at the VIP."""

import pytest

from balancer.checks.probes import ProbeResult
from balancer.config import Check
from balancer.fieldtypes import Endpoint
from balancer.kernel.vip_checks import Way
from hapair.kernel.vip_probing import probe_all_ways

SERVER = Endpoint("192.0.2.21", 80)
WAYS = (Way("192.0.2.100", "tcp", 7, SERVER), Way("192.0.2.101", "tcp", 8, SERVER))
HTTP, DNS = Check(http="GET /", timeout_s=3.0), Check(dns="example.org")


class Looked:
    """Answers by mark, and what was asked."""

    def __init__(self, **answers: str) -> None:
        self._failures = {int(mark.removeprefix("at_")): reason for mark, reason in answers.items()}
        self.asked: list[tuple[Check, str, int]] = []

    async def __call__(self, check: Check, endpoint: Endpoint, mark: int) -> ProbeResult:
        self.asked.append((check, str(endpoint), mark))
        reason = self._failures.get(mark)
        return ProbeResult(reason is None, reason or "HTTP 200", 0.25, "L7OK")


async def test_all_of_them_pass() -> None:
    look = Looked()
    assert (await probe_all_ways(look, HTTP, SERVER, WAYS)).reason == "HTTP 200"
    assert sorted(look.asked, key=lambda one: one[2]) == [(HTTP, "192.0.2.21:80", mark) for mark in (0, 7, 8)]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"at_0": "HTTP 503"}, "at its own address: HTTP 503"),
        ({"at_8": "timeout"}, "at 192.0.2.101, by its MAC address: timeout"),
        ({"at_0": "HTTP 503", "at_7": "timeout"}, "at its own address: HTTP 503"),
    ],
)
async def test_the_reason_says_which_of_them_failed(answers: dict[str, str], reason: str) -> None:
    result = await probe_all_ways(Looked(**answers), HTTP, SERVER, WAYS)
    assert (result.ok, result.reason, result.code) == (False, reason, "L7OK")


async def test_other_servers_are_probed_as_ever() -> None:
    result = await probe_all_ways(Looked(at_0="HTTP 503"), HTTP, SERVER, ())
    assert result.reason == "HTTP 503"


async def test_a_check_that_looks_elsewhere_leaves_it_to_a_connection_at_the_vip() -> None:
    connects = Check(tcp="connect", timeout_s=3.0)
    look = Looked()
    elsewhere = Check(http="GET /", timeout_s=3.0, port=9000)
    await probe_all_ways(look, elsewhere, SERVER, WAYS[:1])
    assert sorted(look.asked, key=lambda one: one[2]) == [
        (elsewhere, "192.0.2.21:80", 0),
        (connects, "192.0.2.21:80", 7),
    ]
    look = Looked()
    await probe_all_ways(look, Check(script=("/bin/look",), timeout_s=3.0), SERVER, WAYS[:1])
    assert [one for one in look.asked if one[2]] == [(connects, "192.0.2.21:80", 7)]


async def test_where_only_datagrams_come_and_the_check_looks_elsewhere_the_vip_is_not_asked() -> None:
    look = Looked()
    await probe_all_ways(look, Check(dns="example.org", port=54), SERVER, (Way("192.0.2.100", "udp", 7, SERVER),))
    assert [one[2] for one in look.asked] == [0]
    look = Looked()
    await probe_all_ways(look, DNS, SERVER, (Way("192.0.2.100", "udp", 7, SERVER),))
    assert sorted(one[2] for one in look.asked) == [0, 7]
