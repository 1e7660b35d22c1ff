"""What a pool costs: choosing a server, by each policy, among 1, 10, 100 and 1000; a flip; the table of a hash.

    python -m benchmarks.pool            # about half a minute
    python -m benchmarks.pool --json

The goal is under 2 us for a choice among 100 servers. Each figure is the best of several rounds in one process: what is
measured is our code, and whatever else runs on the machine only adds to it.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any, get_args

from balancer.config_pools import HashSettings, Policy, Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.policies import Request, maglev
from balancer.pool import PoolState

SIZES = (1, 10, 100, 1000)
ROUNDS = 5
CHOICES = 20_000
GOAL_US = 2.0

REQUESTS = [
    Request(
        f"10.{number // 250}.{number % 250}.7",
        b"/articles/%d/picture.png?user=%d" % (number, number),
        b"\nHost: www.example.org\r\nUser-Agent: a browser of some kind\r\nX-User: %d\r\nCookie: a=1; who=%d\r\n"
        % (number, number),
    )
    for number in range(1000)
]
NAMES = {"header_hash": "x-user", "query_hash": "user", "cookie_hash": "who"}


def pool_of(policy: Any, servers: int, **settings: Any) -> PoolState:
    """Servers that have from 0 to 6 connections each, read from a table as they are from the shared slots."""
    open_now = {f"s{number}": number % 7 for number in range(servers)}
    hashing = HashSettings(name=NAMES.get(policy), **settings)
    members = {name: Server(address=Endpoint("192.0.2.1", 80)) for name in open_now}
    return PoolState(Pool(servers=members, policy=policy, hash=hashing), open_now.__getitem__)


def choice_us(state: PoolState) -> float:
    """Microseconds for one choice."""
    requests: list[Request | None] = [*REQUESTS] if state.reads_request else [None] * len(REQUESTS)
    rounds = CHOICES // len(requests)
    choose = state.choose

    def run() -> None:
        for _ in range(rounds):
            for request in requests:
                choose((), request)

    return best_of(run) / (rounds * len(requests)) * 1e6


def flip_us(state: PoolState) -> float:
    """Microseconds for one server going DOWN, or coming back."""

    def run() -> None:
        for _ in range(20):
            state.set_health("s0", False)
            state.set_health("s0", True)

    return best_of(run) / 40 * 1e6


def best_of(run: Callable[[], object]) -> float:
    """Seconds of the fastest round."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


def measure() -> dict[str, dict[str, float]]:
    """Rows of figures."""
    rows: dict[str, dict[str, float]] = {}
    for policy in get_args(Policy):
        rows[policy] = {str(size): choice_us(pool_of(policy, size)) for size in SIZES}
    rows["uri_hash, bounded"] = {str(size): choice_us(pool_of("uri_hash", size, balance_percent=150)) for size in SIZES}
    for policy in ("round_robin", "least_connections", "source_hash"):
        rows[f"a flip, {policy}"] = {str(size): flip_us(pool_of(policy, size)) for size in SIZES}
    tables = {size: {f"s{number}": 1.0 for number in range(size)} for size in SIZES}
    rows["a hash table"] = {
        str(size): best_of(lambda weights=weights: maglev.table(weights)) * 1e6  # type: ignore[misc]
        for size, weights in tables.items()
    }
    return rows


def main() -> None:
    """Print the table; fail where a choice among 100 takes too long."""
    rows = measure()
    if "--json" in sys.argv:
        print(json.dumps({"us": rows}))
    else:
        print(f"{'microseconds':<26}" + "".join(f"{size:>10}" for size in SIZES) + "   servers")
        for name, figures in rows.items():
            print(f"{name:<26}" + "".join(f"{figures[str(size)]:>10.2f}" for size in SIZES))
    late = [policy for policy in get_args(Policy) if rows[policy]["100"] >= GOAL_US]
    if late:
        sys.exit(f"over {GOAL_US:g} us among 100 servers: {', '.join(late)}")


if __name__ == "__main__":
    main()
