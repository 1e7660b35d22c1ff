"""The kernel plane beside the rules of Docker, ufw and firewalld: what drops its flows is named, with what to type."""

import pytest

from hapair.lab.greeter import asked, greeting
from hapair.lab.kernel_pair import VIP6, furnish
from hapair.lab.pair import VIP
from hapair.lab.programs import hapair

pytestmark = [pytest.mark.netns, pytest.mark.slow]

FILE = """\
frontends:
  web: {listen: ["192.168.1.100:80", "[fd00:51::100]:80"], mode: tcp, plane: kernel, pool: web}
pools:
  web: {servers: {web1: "192.168.1.21:8080", six1: "[fd00:51::21]:8080"}}
"""
# What `docker` loads at its start (28, its rules for a bridge named docker0), as iptables-save prints it.
DOCKER = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
COMMIT
"""
# Their own settings, so that nothing of this machine's is changed: each program gets a copy of its folder.
UFW = """\
mkdir -p {0}/ufw; cp -an /etc/ufw/. {0}/ufw/; cp -n /etc/default/ufw {0}/default
mount --bind {0}/ufw /etc/ufw; mount --bind {0}/default /etc/default/ufw
"""
FIREWALLD = """\
mkdir -p /run/dbus /run/firewalld; mount -t tmpfs tmpfs /run/dbus; mount -t tmpfs tmpfs /run/firewalld
dbus-daemon --system --fork
firewalld --nofork --nopid &
for i in $(seq 100); do firewall-cmd --state && break; sleep 0.1; done
firewall-cmd --state && echo loaded >{0}/loaded
wait
"""


@pytest.fixture
async def net(lab):
    net = await furnish(lab, FILE)
    await greeting(net["web1"], [8080])
    await net.start()
    await net.until(net.is_serving)
    return net


async def answered(net):
    """By family: whether the VIP answers."""
    found = [await asked(net.client, "tcp", vip, 80, 2) for vip in (VIP, VIP6)]
    return [set(one) == {f"web1 {vip}"} for one, vip in zip(found, (VIP, VIP6), strict=True)]


async def mended(net, own="true"):
    """What doctor says is in the way; it is typed then. `own`: what must go before it."""
    run = await net.nodes[0].run([*hapair("doctor"), *net.options("pi-a")], check=False)
    lines = [line for line in run.stdout.decode().splitlines() if line.startswith("MEND")]
    for line in lines:
        await net.nodes[0].run(["unshare", "-m", "sh", "-ec", f"{own}\n{line.partition('; type ')[2]}"])
    return [line.partition(" drops ")[0] for line in lines]


async def test_docker(net, program):
    restore = program("iptables-nft-restore")
    file = net.file.with_name("docker.rules")
    file.write_text(DOCKER)
    await net.nodes[0].run([restore, str(file)])
    assert await answered(net) == [False, True]
    assert await mended(net) == ["MEND Docker's chain ip filter FORWARD"]
    assert await answered(net) == [True, True]
    assert await mended(net) == []


async def test_ufw(net, program):
    program("ufw")
    own = UFW.format(net.nodes[0].folder)
    await net.nodes[0].run(["unshare", "-m", "sh", "-ec", f"{own}ufw --force enable"])
    assert await answered(net) == [False, False]
    assert await mended(net, own) == ["MEND ufw's chain ip filter FORWARD", "MEND ufw's chain ip6 filter FORWARD"]
    assert await answered(net) == [True, True]
    assert await mended(net) == []


async def test_firewalld_lets_pass_what_is_translated(net, program):
    program("firewalld"), program("dbus-daemon")
    node = net.nodes[0]
    await node.start(["unshare", "-m", "sh", "-c", FIREWALLD.format(node.folder)], log="firewalld.log")

    async def is_loaded():
        return (node.folder / "loaded").exists()

    await net.until(is_loaded)
    assert "table inet firewalld" in (await node.run(["nft", "list", "tables"])).stdout.decode()
    assert await answered(net) == [True, True]
    assert await mended(net) == []
    assert (await net.status(node))["kernel"]["restored"] == 0
