"""Clients come back to their server: on every worker, after the death of a node, and when it returns."""

import pytest
import trio

from hapair.lab import programs
from hapair.lab.files import hapair_yaml
from hapair.lab.pair import VIP, bring_up, furnish, logs_of
from hapair.lab.programs import Hapair, at, hapair, known_status

pytestmark = [pytest.mark.netns, pytest.mark.slow]

ADDRESSES = [f"192.168.1.{host}" for host in range(60, 66)]
SERVERS = '{web1: "192.168.1.21:8080", web2: "192.168.1.22:8080", web3: "192.168.1.23:8080"}'
MORE = f"""\
  by_source: {{listen: ["{VIP}:81"], pool: by_source}}
workers: 2
pools:
  by_source: {{policy: random, persistence: {{source: {{}}}}, servers: {SERVERS}}}
"""
ASK = """\
for a in "$@"; do curl -sS -m 20 --interface $a -o /dev/null -w '%header{x-server} ' http://VIP:81/; done; echo
i=0; while [ $i -lt 8 ]; do i=$((i+1))
curl -sS -m 20 -b jar -c jar -o /dev/null -w '%header{x-server} ' http://VIP/; done
""".replace("VIP", VIP)


@pytest.fixture
async def sticky_pair(lab, monkeypatch):
    def yaml(plan):
        text = hapair_yaml(plan).replace("  web:\n    check", "  web:\n    persistence: {cookie: H}\n    check")
        return text.replace("pools:\n", MORE, 1)

    monkeypatch.setattr(programs, "hapair_yaml", yaml)
    pair = await furnish(lab, Hapair())
    for address in ADDRESSES:
        await pair.client.run(["ip", "address", "add", f"{address}/24", "dev", "eth0"])
    await bring_up(pair)
    return pair


async def answered_by(client):
    """Which server answers each address, and which ones the bearer of a cookie."""
    run = await client.run(["env", "-C", str(client.folder), "sh", "-ec", ASK, "ask", *ADDRESSES])
    by_address, by_cookie = run.stdout.decode().splitlines()
    return by_address.split(), by_cookie.split()


async def knows_all(host):
    """Wait until a node has heard of each client; how it stands then."""
    with trio.fail_after(60):
        while True:
            node = await known_status(host)
            tables = {one["pool"]: one for one in node["persistence"]}
            if tables["by_source"]["used"] == len(ADDRESSES):
                return node
            await trio.sleep(0.1)


async def counted(host):
    """What was met in cookies: workers tell the node now and then."""
    with trio.fail_after(60):
        while True:
            cookies = {one["pool"]: one["cookies"] for one in (await known_status(host))["persistence"]}["web"]
            if cookies.get("accepted", 0) > 0:
                return cookies
            await trio.sleep(0.1)


async def test_clients_stay_with_their_servers_whatever_becomes_of_nodes(lab, sticky_pair):
    pair = sticky_pair
    a, b = pair.nodes.values()
    by_address, by_cookie = await answered_by(pair.client)
    assert len(set(by_cookie)) == 1
    assert await answered_by(pair.client) == (by_address, by_cookie)

    file = a.folder.parent / "hapair.yaml"
    file.write_text(
        file.read_text()
        .replace("workers: 2", "workers: 3")
        .replace("by_source: {policy: random", "by_source: {retries: 1, policy: random")
    )
    await a.run([*hapair("reload"), *at(a)])
    for _ in range(2):
        assert await answered_by(pair.client) == (by_address, by_cookie)

    node = await knows_all(b)
    assert node["persistence_peer"]["up"]
    await a.kill_all()
    assert await pair.settled("pi-b"), logs_of(pair)
    assert await answered_by(pair.client) == (by_address, by_cookie)
    cookies = await counted(b)
    assert "forged" not in cookies
    assert "set" not in cookies

    await pair.start("pi-a")
    assert await pair.settled("pi-a"), logs_of(pair)
    await knows_all(a)
    assert await answered_by(pair.client) == (by_address, by_cookie)
