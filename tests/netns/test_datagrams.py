"""Mode udp on a real pair: dnsmasq behind it, a client that asks the VIP; and servers that see their clients."""

import sys

import pytest
import trio

from hapair.lab import programs
from hapair.lab.files import hapair_yaml
from hapair.lab.pair import CLIENT, NODES, SERVERS, VIP, bring_up, furnish, logs_of
from hapair.lab.programs import Hapair

pytestmark = [pytest.mark.netns, pytest.mark.slow]

DNS = f"""\
  dns: {{listen: ["{VIP}:53"], mode: udp, pool: dns, udp: {{replies: 1, idle: 5s}}}}
pools:
  dns:
    check: {{dns: example.org A, interval: 300ms, timeout: 300ms, rise: 1, fall: 2}}
    servers: {{web1: "{SERVERS["web1"]}:53", web2: "{SERVERS["web2"]}:53"}}
"""
ASKER = """
import secrets, socket, sys, time
from balancer.checks import dns
vip, count = sys.argv[1], int(sys.argv[2])

def answer_to(asked, one):
    # answers to what was asked before may still come: they are passed over, not taken for a reason to ask again
    until = time.monotonic() + 0.3
    while (left := until - time.monotonic()) > 0:
        one.settimeout(left)
        try:
            answer, address = one.recvfrom(4096)
        except TimeoutError:
            return None
        if address == (vip, 53) and dns.is_answer(answer, asked):
            return answer
    return None

def ask(one):
    for _ in range(60):
        asked = dns.question("example.org A", secrets.randbits(16))
        one.sendto(asked, (vip, 53))
        if answer := answer_to(asked, one):
            return socket.inet_ntoa(answer[-4:])
    return "nothing"

with socket.socket(type=socket.SOCK_DGRAM) as same:
    for number in range(count):
        if number % 2:
            print(ask(same))
        else:
            with socket.socket(type=socket.SOCK_DGRAM) as fresh:
                print(ask(fresh))
"""


async def answers(client, count):
    """What a client is told that asks so many times, half of them from the same port, and again when it is not."""
    run = await client.run([sys.executable, "-c", ASKER, VIP, str(count)])
    return run.stdout.decode().split()


@pytest.fixture
async def dns_pair(lab, monkeypatch, program):
    program("dnsmasq")
    monkeypatch.setattr(programs, "hapair_yaml", lambda plan: hapair_yaml(plan).replace("pools:\n", DNS, 1))
    pair = await furnish(lab, Hapair())
    for number, name in enumerate(("web1", "web2"), 1):
        quiet = ["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root"]
        told = [f"--address=/example.org/192.0.2.{number}", "--pid-file="]
        await pair.servers[name].start(["dnsmasq", *quiet, *told], log="dnsmasq.log")
    await bring_up(pair)
    return pair


async def test_dns_goes_on_when_the_active_node_dies(dns_pair):
    assert set(await answers(dns_pair.client, 12)) == {"192.0.2.1", "192.0.2.2"}
    await dns_pair.nodes["pi-a"].kill_all()
    after = await answers(dns_pair.client, 12)
    assert len(after) == 12, logs_of(dns_pair)
    assert set(after) == {"192.0.2.1", "192.0.2.2"}
    assert "pi-b" in dns_pair.holders()  # the dead one's lease may still run


async def test_dns_goes_on_when_a_server_dies_and_when_a_worker_does(dns_pair):
    web1, a = dns_pair.servers["web1"], dns_pair.nodes["pi-a"]
    web1.kill(*web1.find("dnsmasq"))
    assert await answers(dns_pair.client, 8) == ["192.0.2.2"] * 8
    a.kill(*a.find("hapair.worker"))
    assert await answers(dns_pair.client, 8) == ["192.0.2.2"] * 8
    assert dns_pair.holders() in (["pi-a"], ["pi-b"])


ECHO = f"""
import socket
with socket.create_server(("{SERVERS["web1"]}", 81)) as listening:
    print("ready", flush=True)
    while True:
        connection, address = listening.accept()
        connection.sendall(address[0].encode())
        connection.close()
"""
SEES = f"""\
  sees: {{listen: ["{VIP}:81"], mode: tcp, pool: sees}}
pools:
  sees: {{transparent: true, servers: {{web1: "{SERVERS["web1"]}:81"}}}}
"""
CALLER = f"""
import socket
with socket.create_connection(("{VIP}", 81), 5) as connection:
    print(connection.recv(100).decode())
"""


async def test_servers_see_their_clients_where_they_are_to(lab, monkeypatch):
    monkeypatch.setattr(programs, "hapair_yaml", lambda plan: hapair_yaml(plan).replace("pools:\n", SEES, 1))
    pair = await furnish(lab, Hapair())
    server, node = pair.servers["web1"], pair.nodes["pi-a"]
    # As docs/configuration.md says: the servers' way to clients is the node, which takes what they send for its own.
    await server.run(["ip", "route", "add", f"{CLIENT}/32", "via", NODES["pi-a"]])
    for rule in (
        ["ip", "rule", "add", "from", SERVERS["web1"], "iif", "eth0", "lookup", "100"],
        ["ip", "route", "add", "local", "default", "dev", "lo", "table", "100"],
    ):
        await node.run(rule)
    await server.start([sys.executable, "-c", ECHO], log="echo.log")
    await bring_up(pair)
    with trio.fail_after(60):
        while (run := await pair.client.run([sys.executable, "-c", CALLER], check=False)).returncode:  # noqa: ASYNC110
            await trio.sleep(0.2)
    assert run.stdout.decode().strip() == CLIENT, logs_of(pair)
