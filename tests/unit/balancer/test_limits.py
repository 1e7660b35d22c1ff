"""Token buckets, open connections and lists of networks, in cells that workers share."""

import random
import tracemalloc
from math import ceil

import pytest

from balancer.causes import Cause
from balancer.config_limits import ClientLimits, RequestLimit
from balancer.limits import Layout, Limiter, OpenConnections, RateTable

FIELDS = b"\nHost: a\r\nX-Key: secret\r\n"


def cells(count: int) -> memoryview:
    return memoryview(bytearray(8 * count)).cast("Q")


def table(*, clients: int = 1024, per_s: float = 10.0, burst: int = 5) -> RateTable:
    return RateTable(cells(2 * clients), range(2 * clients), per_s, burst)


def limiters(limits: ClientLimits, workers: int = 1) -> list[Limiter]:
    shared = cells(Layout.of(limits, workers).cells)
    return [Limiter(limits, shared, workers=workers, worker=worker) for worker in range(workers)]


def limiter(**limits: object) -> Limiter:
    return limiters(ClientLimits(**limits))[0]  # type: ignore[arg-type]


def test_a_burst_passes_and_then_the_rate() -> None:
    bucket = table()
    assert [bucket.take(7, 100.0) for _ in range(5)] == [0.0] * 5
    assert round(bucket.take(7, 100.0), 6) == 0.1
    assert bucket.take(7, 100.11) == 0.0
    assert bucket.take(7, 100.11) > 0.0
    assert [bucket.take(7, 200.0) for _ in range(5)] == [0.0] * 5


def test_who_is_refused_is_not_charged() -> None:
    bucket = table(per_s=1.0, burst=1)
    assert bucket.take(7, 100.0) == 0.0
    for _ in range(10):
        assert bucket.take(7, 100.5) == 0.5
    assert bucket.take(7, 101.0) == 0.0


def test_clients_do_not_share_a_bucket() -> None:
    bucket = table(burst=1)
    assert (bucket.take(7, 100.0), bucket.take(7 + 128, 100.0)) == (0.0, 0.0)
    assert bucket.take(7, 100.0) > 0.0


def test_over_any_time_nobody_gets_more_than_burst_and_rate_allow_nor_less() -> None:
    rng = random.Random(11)
    for _ in range(100):
        per_s, burst = rng.choice((0.5, 3.0, 100.0)), rng.randint(1, 20)
        bucket, now, passed = table(per_s=per_s, burst=burst), 1000.0, 0
        for _ in range(300):
            now += rng.expovariate(per_s * 3)
            passed += bucket.take(1, now) == 0.0
        assert passed <= burst + (now - 1000.0) * per_s + 1
        assert passed >= int((now - 1000.0) * per_s * 0.5)


def test_a_flood_of_addresses_displaces_the_idle_and_not_those_who_are_at_their_limit() -> None:
    rng = random.Random(5)
    bucket = table(clients=1024, per_s=1.0, burst=10)
    for _ in range(10):
        assert bucket.take(99, 100.0) == 0.0
    for _ in range(20_000):
        bucket.take(rng.getrandbits(64) or 1, 100.0)
    assert bucket.take(99, 100.0) > 0.0


def test_connections_are_counted_over_all_workers() -> None:
    shared = cells(2 * 2 * 1024)
    rows = (range(2048), range(2048, 4096))
    one, two = OpenConnections(shared, rows[0], rows[1:]), OpenConnections(shared, rows[1], rows[:1])
    one.add(5)
    one.add(5)
    two.add(5)
    assert (one.of(5), two.of(5), one.of(6)) == (3, 3, 0)
    one.remove(5)
    one.remove(5)
    assert (one.of(5), two.of(5)) == (1, 1)
    two.remove(5)
    assert not any(shared.tolist())


def test_a_client_is_never_counted_too_low_and_seldom_too_high() -> None:
    rng = random.Random(3)
    shared = cells(3 * 2 * 1024)
    rows = [range(2048 * worker, 2048 * (worker + 1)) for worker in range(3)]
    workers = [OpenConnections(shared, mine, tuple(one for one in rows if one != mine)) for mine in rows]
    opened: list[tuple[OpenConnections, int]] = []
    keys = [rng.getrandbits(64) for _ in range(200)]
    for _ in range(3000):
        if opened and rng.random() < 0.45:
            worker, key = opened.pop(rng.randrange(len(opened)))
            worker.remove(key)
        else:
            worker, key = rng.choice(workers), rng.choice(keys)
            worker.add(key)
            opened.append((worker, key))
    true = {key: sum(other == key for _, other in opened) for key in keys}
    assert all(worker.of(key) >= true[key] for worker in workers for key in keys)
    assert sum(workers[0].of(key) > true[key] for key in keys) <= 20


def test_what_has_no_limits_has_no_cells() -> None:
    assert Layout.of(ClientLimits(), 4).cells == 0
    assert Layout.of(ClientLimits(deny=("192.0.2.0/24",)), 4).cells == 2
    assert Layout.of(ClientLimits(connection_rate=1.0, clients=1024), 4).cells == 2 + 2048
    assert Layout.of(ClientLimits(connections=5, clients=8192), 4).cells == 2 + 4 * 2 * 2048


def test_connections_of_one_address() -> None:
    limits = limiter(connections=2)
    assert limits.connect("192.0.2.1", 1.0) is None
    assert limits.connect("192.0.2.1", 1.0) is None
    assert limits.connect("192.0.2.1", 1.0) is Cause.TOO_MANY_CONNECTIONS
    assert limits.connect("192.0.2.2", 1.0) is None
    limits.disconnect("192.0.2.1")
    assert limits.connect("192.0.2.1", 1.0) is None


def test_new_connections_per_second() -> None:
    one, two = limiters(ClientLimits(connection_rate=1.0, connection_burst=2), 2)
    assert one.connect("192.0.2.1", 1.0) is None
    assert two.connect("192.0.2.1", 1.0) is None
    assert one.connect("192.0.2.1", 1.0) is Cause.CONNECTING_TOO_FAST
    assert two.connect("192.0.2.1", 2.0) is None


def test_an_ipv6_client_is_its_network() -> None:
    limits = limiter(connections=1)
    assert limits.connect("2001:db8:1::1", 1.0) is None
    assert limits.connect("2001:db8:1::ffff:2", 1.0) is Cause.TOO_MANY_CONNECTIONS
    assert limits.connect("2001:db8:1:1::1", 1.0) is None
    exact = limiter(connections=1, ipv6_prefix=128)
    assert (exact.connect("2001:db8::1", 1.0), exact.connect("2001:db8::2", 1.0)) == (None, None)


def test_requests_of_one_address_over_all_workers() -> None:
    one, two = limiters(ClientLimits(requests=(RequestLimit(rate=1.0, burst=2),)), 2)
    assert (one.request("192.0.2.1", FIELDS, 5.0), two.request("192.0.2.1", FIELDS, 5.0)) == (0.0, 0.0)
    assert one.request("192.0.2.1", FIELDS, 5.0) == 1.0
    assert one.request("192.0.2.2", FIELDS, 5.0) == 0.0


def test_requests_by_a_header() -> None:
    limits = limiter(requests=(RequestLimit(rate=1.0, burst=1, header="x-key"),))
    assert limits.request("192.0.2.1", FIELDS, 5.0) == 0.0
    assert limits.request("192.0.2.2", b"\nHost: a\r\nx-KEY:secret \r\n", 5.0) == 1.0
    assert limits.request("192.0.2.1", b"\nX-Key: other\r\n", 5.0) == 0.0
    for _ in range(3):
        assert limits.request("192.0.2.1", b"\nNot-X-Key: secret\r\n", 5.0) == 0.0


def test_what_clients_write_is_not_kept() -> None:
    """A key is a secret, and as long as a client likes."""
    limits = limiter(requests=(RequestLimit(rate=1.0, header="X-Key"),))
    tracemalloc.start()
    try:
        for number in range(100):
            limits.request("192.0.2.1", b"\nX-Key: %d%b\r\n" % (number, b"k" * 10_000), 5.0)
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()


def test_who_is_allowed_and_who_is_not() -> None:
    limits = limiter(allow=("10.0.0.0/8", "2001:db8::/32"), deny=("10.6.6.0/24",))
    denied = {address for address in ("10.1.2.3", "10.6.6.6", "192.0.2.1", "2001:db8::7") if limits.denies(address)}
    assert denied == {"10.6.6.6", "192.0.2.1"}
    assert not limiter(deny=("10.6.6.0/24",)).denies("192.0.2.1")


def test_a_burst_that_is_not_given_is_a_seconds_worth() -> None:
    assert RequestLimit(rate=2.5).most == ceil(2.5)
    assert RequestLimit(rate=0.1).most == 1
    assert ClientLimits(connection_rate=4.0).most_new == 4


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"connections": 0}, "connections must be at least 1"),
        ({"connection_burst": 3}, "connection_burst must be at least 1, and needs a connection_rate"),
        ({"ipv6_prefix": 129}, "ipv6_prefix must be from 1 to 128"),
        ({"clients": 10}, "clients must be from 1024 to 16777216"),
    ],
)
def test_limits_that_make_no_sense(wrong: dict[str, int], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        ClientLimits(**wrong)  # type: ignore[arg-type]
