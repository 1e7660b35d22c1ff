"""Reloads of what is not plain http: kernel plane, datagrams, certificates, users, logs; however they are asked for."""

import json
import re
import shlex
import signal
import sys
from pathlib import Path

import pytest
import trio

from hapair.lab.greeter import answers_to, asked, fate_of, greeting, holding, talking
from hapair.lab.kernel_pair import furnish
from hapair.lab.pair import VIP
from hapair.lab.programs import at, hapair

pytestmark = [pytest.mark.netns, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse"
FILE = """\
frontends:
  web: {{listen: ["192.168.1.100:80"], mode: tcp, plane: kernel, pool: web}}
  dns: {{listen: ["192.168.1.100:53"], mode: udp, pool: dns, udp: {{idle: 30s}}}}
  shop:
    listen: ["192.168.1.100:443"]
    tls: {{certificates: [{certificate}]}}
    routes: [{{respond: {{body: ok}}}}]
    access_log: {{format: httplog, to: {log}}}
admin: {{listen: ":1338", users: {{{user}: "{password}"}}}}
pools:
  web: {{check: {{tcp: connect, interval: 200ms}}, servers: {{{web}}}}}
  dns: {{servers: {{{dns}}}}}
"""


def unit_says(key):
    """What stands behind a key of the unit."""
    return re.search(rf"^{key}=(.*)$", (ROOT / "deploy" / "hapair.service").read_text(), re.MULTILINE)[1]


async def installed(host):
    """What the unit says for `systemctl reload`; the program is where it says, in the lab's own mounts."""
    await trio.run_process(["mount", "-t", "tmpfs", "tmpfs", "/opt"])
    words = shlex.split(unit_says("ExecReload"))
    put(Path(words[0]), f'#!/bin/sh\ncd {ROOT} && exec {sys.executable} -m hapair "$@"\n')
    await trio.run_process(["ln", "-s", str(host.folder / "run"), "/run/hapair"])
    return words


def put(program, text):
    program.parent.mkdir(parents=True)
    program.write_text(text)
    program.chmod(0o755)


class Node:
    """The ACTIVE node of a pair, and the file that both have."""

    def __init__(self, net, password):
        self.net, self.a = net, net.nodes[0]
        self.head = net.file.read_text().partition("frontends:")[0]
        self.says = {"user": "anna", "password": password, "web": "web1: 192.168.1.21:8080"}
        self.says |= {"dns": "web1: 192.168.1.21:8080", "certificate": "one.pem", "log": self.a.folder / "one.log"}

    def write(self, **changes):
        self.says |= changes
        self.net.file.write_text(self.head + FILE.format(**self.says))

    @property
    def log(self):
        return (self.a.folder / "hapair.log").read_text()

    async def reload(self):
        ended = await self.a.run([*hapair("reload"), *at(self.a), "--json"], check=False)
        return json.loads(ended.stdout.splitlines()[-1])

    async def by_signal(self, line):
        """SIGHUP, and what the log says of it from then on, when it has such a line."""
        before = len(self.log)
        self.a.send_signal(signal.SIGHUP, *self.a.find("hapair", "up"))
        with trio.fail_after(10):
            while not (found := re.search(line, self.log[before:])):  # noqa: ASYNC110 - a file tells nobody
                await trio.sleep(0.02)
        return found

    async def answer(self, user):
        """The status that this user is given on the admin server."""
        words = ["curl", "-s", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}", "-u", f"{user}:{PASSWORD}"]
        return (await self.net.client.run([*words, "http://192.168.1.11:1338/metrics"])).stdout.decode()

    async def served(self):
        """A request by TLS, and the fingerprint of the certificate that came with it."""
        trust = ["curl", "-sk", "-m", "10", f"https://{VIP}/"]
        assert (await self.net.client.run(trust)).stdout == b"ok"
        script = f"openssl s_client -connect {VIP}:443 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint"
        return (await self.net.client.run(["sh", "-c", script])).stdout


@pytest.fixture
async def node(lab, authority):
    made = await trio.run_process([*hapair("password")], stdin=PASSWORD.encode(), capture_stdout=True)
    net = await furnish(lab, "frontends: {}\npools: {}\n")
    for name in ("one", "two"):
        (net.file.parent / f"{name}.pem").write_bytes(authority.issue("shop.example.org").pem)
        (net.file.parent / f"{name}.pem").chmod(0o600)
    for server in net.servers[:2]:
        await greeting(server, [8080])
    node = Node(net, made.stdout.decode().strip())
    node.write()
    await net.start()
    await net.until(net.is_serving, within_s=60)
    return node


async def test_all_of_it_is_reloaded_by_signal_by_the_unit_and_by_command(node, tmp_path):
    net, client = node.net, node.net.client
    before = (await net.status(node.a))["routers"][0]
    server, held = await holding(client, VIP, 80)
    flow = await talking(client, VIP, 53)
    assert (server, await node.answer("anna"), await asked(client, "udp", VIP, 53, 3)) == (
        "web1", "200", {"web1 192.168.1.11": 3},
    )  # fmt: skip
    first = await node.served()

    # a frontend of the kernel plane, by SIGHUP: the flow that is open stays where it is
    node.write(web="web1: {address: 192.168.1.21:8080, weight: 0}, web2: 192.168.1.22:8080")
    await node.by_signal(r"info node: reloaded why=SIGHUP changes=2 where='pools.web")
    with trio.fail_after(10):
        while set(await asked(client, "tcp", VIP, 80, 10)) != {f"web2 {VIP}"}:
            pass  # until its check has found it

    # a frontend of datagrams, by what the unit says for systemctl reload
    command, *words = await installed(node.a)
    node.write(dns="web2: 192.168.1.22:8080")
    assert (await node.a.run([command, *words])).stdout.endswith(b"\nreloaded: 2 changes\n")
    assert await asked(client, "udp", VIP, 53, 3) == {"web2 192.168.1.11": 3}

    # a certificate, the page's users and a log, by command
    node.write(certificate="two.pem", user="ben", log=node.a.folder / "two.log")
    done = await node.reload()
    assert (done["ok"], len(done["changes"])) == (True, 4), done
    assert (await node.answer("anna"), await node.answer("ben")) == ("401", "200")
    assert await node.served() != first
    with trio.fail_after(10):
        while "GET / HTTP" not in (node.a.folder / "two.log").read_text():  # noqa: ASYNC110 - a file tells nobody
            await trio.sleep(0.02)

    # the file of the certificate itself, which nobody has to reload
    second = await node.served()
    (net.file.parent / "two.pem").write_bytes((net.file.parent / "one.pem").read_bytes())
    with trio.fail_after(15):
        while await node.served() == second:  # noqa: ASYNC110 - it looks every few seconds
            await trio.sleep(0.2)
    assert await node.served() == first

    # what is not right changes nothing, and says where
    good = net.file.read_text()
    line = len(good.splitlines()) + 1
    net.file.write_text(f"{good}drian: 3s\n")
    said = await node.by_signal(r"error node: not reloaded why=SIGHUP reason=(.*)\n")
    assert f"hapair.yaml:{line}:1" in said[1]
    assert "drian" in said[1]
    assert "drain" in said[1]
    ended = await node.a.run([command, *words], check=False)
    assert (ended.returncode, f"hapair.yaml:{line}:1".encode() in ended.stderr) == (1, True), ended.stderr
    net.file.write_text(good.replace("two.pem", "none.pem"))
    refused = await node.reload()
    assert not refused["ok"]
    assert "none.pem" in refused["words"]
    assert (await node.answer("ben"), await asked(client, "tcp", VIP, 80, 3)) == ("200", {f"web2 {VIP}": 3})
    assert await node.served() == first

    told = await net.status(node.a)
    after = told["routers"][0]
    assert (after["state"], after["transitions"], told["restarts"]) == ("Active", before["transitions"], 0)
    assert await net.flows(node.a)
    answers = await answers_to(flow)
    assert answers.get("silence", 0) <= 1, answers
    await greeter_says(net["web1"], held)


async def greeter_says(server, held):
    """The connection that was opened before all of it is still there: it ends when its server does."""
    assert held.returncode is None
    server.terminate("hapair.lab.greeter")
    assert await fate_of(held) in ("end", "ConnectionResetError")
