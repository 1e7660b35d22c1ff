"""The statistics as HAProxy lays them out."""

from dataclasses import replace

import pytest

from balancer.queue_counts import QueueCounts
from hapair.admin.columns import COLUMNS
from hapair.admin.haproxy_rows import rows_of, status_of
from hapair.admin.rates import Pace, PoolHistory, Rates, Times
from hapair.snapshot import ServerView
from tests.unit.hapair.admin.sample import NODE, WEB1, WEB2, WEB3

RATES = Rates()
RATES.paces["frontend", "web"] = Pace(8, 4, 9, 30, 70, 95.0)
RATES.paces["server", "web", "web1"] = Pace(7, 3, 5, 20, 40, 95.0, Times(0.4, 3.6, 12.0))
RATES.pools["web"] = PoolHistory(changed_at=90.0, downs=1, down_before_s=4.5)
ROWS = rows_of(NODE, RATES, 100.0)


def part(place: int, *names: str) -> list[int | str | None]:
    return [ROWS[place].get(name) for name in names]


def test_the_order_is_frontends_then_servers_and_their_pool() -> None:
    assert [(row["pxname"], row["svname"], row["type"], row["iid"], row["sid"]) for row in ROWS] == [
        ("web", "FRONTEND", 0, 1, 0),
        ("dns", "FRONTEND", 0, 2, 0),
        ("web", "web1", 2, 3, 1),
        ("web", "web2", 2, 3, 2),
        ("web", "web3", 2, 3, 3),
        ("web", "BACKEND", 1, 3, 0),
    ]


def test_every_column_is_one_of_haproxys() -> None:
    assert {name for row in ROWS for name in row} <= set(COLUMNS)
    assert (len(COLUMNS), COLUMNS[17], COLUMNS[32], COLUMNS[58], COLUMNS[103]) == (104, "status", "type", "qtime", "-")


def test_a_frontend() -> None:
    assert part(0, "scur", "smax", "slim", "stot", "bin", "bout") == [3, 8, 9000, 40, 1000, 90_000]
    assert part(0, "dreq", "ereq", "dcon", "status", "mode") == [3, 4, 5, "OPEN", "http"]
    assert part(0, "rate", "rate_max", "req_rate", "req_rate_max", "req_tot") == [4, 9, 30, 70, 120]
    assert part(0, "hrsp_2xx", "hrsp_5xx", "hrsp_other", "qcur", "act") == [100, 5, 0, None, None]


def test_a_frontend_without_requests() -> None:
    assert part(1, "status", "mode", "stot", "hrsp_2xx") == ["OPEN", "udp", 4, None]
    assert part(1, "req_tot", "req_rate", "req_rate_max") == [0, 0, 0]


def test_a_server() -> None:
    assert part(2, "status", "weight", "act", "bck", "slim", "stot", "lbtot") == ["UP 2/3", 5, 1, 0, 50, 110, 110]
    assert part(2, "chkfail", "chkdown", "downtime", "lastchg") == [1, 0, 0, 100]
    assert part(2, "check_status", "check_duration", "check_desc") == ["L7OK", 2, "Layer7 check passed"]
    assert part(2, "check_rise", "check_fall", "check_health", "last_chk") == [2, 3, 3, "200 OK"]
    assert part(2, "connect", "reuse", "econ", "eresp", "wretr") == [30, 80, 1, 1, 2]
    assert part(2, "rate", "rate_max", "smax", "lastsess", "addr") == [20, 40, 7, 5, "192.0.2.21:80"]


def test_how_long_requests_took() -> None:
    assert part(2, "ctime", "rtime", "ttime") == [0, 4, 12]
    assert part(3, "ctime", "rtime", "ttime") == [0, 0, 0]
    assert part(0, "ctime", "rtime", "ttime") == [None, None, None]


def test_a_server_that_is_down_and_its_agent() -> None:
    assert part(3, "status", "chkdown", "downtime", "lastchg", "lastsess") == ["DOWN 1/2", 2, 71, 7, -1]
    assert part(3, "agent_status", "last_agt") == ["L7STS", "down"]


def test_a_server_without_checks_that_drains_and_warms_up() -> None:
    assert part(4, "status", "bck", "throttle", "weight", "uweight") == ["DRAIN", 1, 50, 2, 4]
    assert part(4, "check_status", "chkfail", "agent_status") == [None, None, None]


def test_a_backend_is_its_servers_together() -> None:
    assert part(5, "status", "act", "bck", "weight", "algo") == ["UP", 1, 0, 5, "leastconn"]
    assert part(5, "scur", "stot", "bout", "chkdown", "downtime", "lastchg") == [2, 110, 80_000, 1, 4, 10]


@pytest.mark.parametrize(
    ("server", "status"),
    [
        (WEB1, "UP 2/3"),
        (replace(WEB1, admin="maint"), "MAINT"),
        (replace(WEB1, admin="drain"), "DRAIN 2/3"),
        (replace(WEB1, weight=0, full_weight=0), "DRAIN 2/3"),
        (replace(WEB1, health="NOLB"), "NOLB"),
        (replace(WEB1, health="NOLB 2/3", admin="drain"), "DRAIN 2/3"),
        (replace(WEB2, admin="drain"), "DOWN 1/2"),
        (replace(WEB2, health="DOWN (agent)"), "DOWN (agent)"),
        (WEB3, "DRAIN"),
        (replace(WEB3, admin="ready"), "no check"),
        (replace(WEB3, admin="ready", weight=0, full_weight=0), "DRAIN"),
    ],
)
def test_a_status_in_haproxys_words(server: ServerView, status: str) -> None:
    assert status_of(server) == status


def test_queues_of_servers_and_of_their_pool() -> None:
    (pool,) = NODE.pools
    waits = QueueCounts(waiting=2, waiting_max=9, waited=70, average_ms=12.6, longest_ms=420.4)
    server = replace(pool.servers[0], queue=waits, max_queue=20)
    pool = replace(pool, servers=(server, *pool.servers[1:]), queue=replace(waits, waiting=3))
    rows = {row["svname"]: row for row in rows_of(replace(NODE, pools=(pool,)), RATES, 100.0)}
    names = ("qcur", "qmax", "qlimit", "qtime", "qtime_max")
    assert [rows["web1"].get(name) for name in names] == [2, 9, 20, 13, 420]
    assert [rows["web2"].get(name) for name in names] == [0, 0, None, 0, 0]
    assert [rows["BACKEND"].get(name) for name in names] == [3, 9, None, 13, 420]
    assert [rows["FRONTEND"].get(name) for name in names] == [None] * 5


def test_retries_went_to_another_server_where_they_may() -> None:
    (pool,) = (one for one in NODE.pools if one.name == "web")
    servers = (replace(pool.servers[0], counts=replace(pool.servers[0].counts, retries=3), last_check="HTTP 204"),)
    for redispatch, expected in ((True, 3), (False, 0)):
        node = replace(NODE, pools=(replace(pool, servers=servers, redispatch=redispatch),))
        rows = {row["svname"]: row for row in rows_of(node, Rates(), 100.0)}
        assert [rows[name]["wredis"] for name in (servers[0].name, "BACKEND")] == [expected, expected]
        assert rows[servers[0].name]["wretr"] == 3
        assert rows[servers[0].name]["check_code"] == 204


def test_there_is_no_cache_and_that_is_said_as_haproxy_says_it() -> None:
    rows = {(row["pxname"], row["svname"]): row for row in rows_of(NODE, Rates(), 100.0)}
    assert [rows["web", name].get("cache_lookups") for name in ("FRONTEND", "web1", "BACKEND")] == [0, None, 0]


def test_what_took_longest_what_was_broken_off_and_what_is_kept() -> None:
    (pool,) = NODE.pools
    counts = replace(
        pool.servers[0].counts, connect_us_max=1_400, response_us_max=305_000, total_us_max=310_600, kept=5,
        kept_proven=3, client_aborts=4, server_aborts=2, gzip_in=9_000, gzip_out=800, gzip_bypassed=70, gzipped=6,
    )  # fmt: skip
    other = replace(pool.servers[1].counts, connect_us_max=2_600, client_aborts=1, kept=1)
    servers = (
        replace(pool.servers[0], counts=counts), replace(pool.servers[1], counts=other), *pool.servers[2:]
    )  # fmt: skip
    rates = Rates()
    rates.paces["server", "web", "web1"] = Pace(needed=7)
    node = replace(NODE, pools=(replace(pool, servers=servers, expects=200),))
    rows = {row["svname"]: row for row in rows_of(node, rates, 100.0)}
    names = ("ctime_max", "rtime_max", "ttime_max", "cli_abrt", "srv_abrt", "eint")
    assert [rows["web1"].get(name) for name in names] == [1, 305, 311, 4, 2, 0]
    assert [rows["BACKEND"].get(name) for name in names] == [3, 305, 311, 5, 2, 0]
    names = ("srv_icur", "idle_conn_cur", "safe_conn_cur", "used_conn_cur", "need_conn_est", "slim")
    assert [rows["web1"].get(name) for name in names] == [5, 2, 3, 2, 7, 50]
    assert [rows["BACKEND"].get(name) for name in names] == [None, None, None, None, None, 200]
    names = ("comp_in", "comp_out", "comp_byp", "comp_rsp")
    assert [rows["BACKEND"].get(name) for name in names] == [9_000, 800, 70, 6]
    assert [rows["web1"].get(name) for name in names] == [None] * 4


def test_what_a_frontend_answered_compressed_and_broke() -> None:
    web = NODE.frontends[0]
    counts = replace(web.counts, answered_here=8, internal_errors=1, gzip_in=90, gzip_out=20, gzipped=2)
    rows = rows_of(replace(NODE, frontends=(replace(web, counts=counts), NODE.frontends[1])), RATES, 100.0)
    names = ("intercepted", "eint", "comp_in", "comp_out", "comp_byp", "comp_rsp")
    assert [rows[0].get(name) for name in names] == [8, 1, 90, 20, 0, 2]
    assert rows[1].get("intercepted") is None
