"""What a pair decides is in its log once, with its reason and without a secret, and who wants to be told is told."""

import base64
import json
import re
import sys
from collections import Counter

import pytest
import trio

from hapair.lab.kernel_pair import furnish
from hapair.lab.pair import VIP, start_web_server
from hapair.lab.programs import at, hapair
from hapair.persistence.key import cookie_key

pytestmark = [pytest.mark.netns, pytest.mark.slow]

PASSWORD, WRONG, TOKEN = "correct-horse-battery", "wrong-horse-staple", "hush-webhook-token"
HOOK_KEY, HOOK_AUTHORIZATION = "hush-hook-key", "Bearer hush-hook-bearer"
KINDS = ("role", "server", "drift", "certificate")
FILE = """\
workers: 2
frontends:
  web: {{listen: ["192.168.1.100:80"], pool: web}}
  shop: {{listen: ["192.168.1.100:443"], pool: web, tls: {{certificates: [shop.pem]}}}}
pools:
  web:
    persistence: {{cookie: HUSH}}
    check: {{http: "GET /healthz", interval: 200ms, timeout: 200ms, rise: 1, fall: 2}}
    servers: {{web1: "192.168.1.21:8080", web2: "192.168.1.22:8080"}}
admin: {{listen: ":1338", users: {{anna: "{password}"}}}}
notifications:
  hook:
    url: "http://192.168.1.50:9000/{token}"
    on: [role, server, drift, certificate]
    secret_file: hook.key
    authorization_file: hook.auth
  page: {{command: [{command}], on: [role, server, drift, certificate]}}
  gone: {{url: "http://192.168.1.50:9/{token}", on: [role]}}
"""
COMMAND = """#!/bin/sh
# Fails the first time for each event.
cd {folder}
name=$HAPAIR_NODE-$HAPAIR_AT
[ -e "$name" ] || {{ : > "$name"; echo "not yet: {token}" > /dev/null; exit 1; }}
echo "$HAPAIR_NODE $HAPAIR_KIND" >> told
"""
HOOK = """
import http.server, json, sys

class Hook(http.server.BaseHTTPRequestHandler):
    seen = set()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = body["node"], body["id"], body["at"]
        new = key not in self.seen
        self.seen.add(key)
        if not new:
            signed = self.headers["X-Hapair-Signature"].startswith("sha256=")
            print(body["node"], body["kind"], signed and self.headers["Authorization"] == sys.argv[1], flush=True)
        self.send_response(503 if new else 204)
        self.end_headers()

    def log_message(self, *words):
        pass

http.server.HTTPServer(("", 9000), Hook).serve_forever()
"""
ONCE = (
    r"<6>node: hapair 0\.1\.0 starts kind=start subject=pi-a",
    r"<6>node: node is ready node=pi-a",
    r"<6>announcer: link up peer=pi-b",
    r"<6>node: the node processes hear each other peer=pi-b",
    r"<4>node: the certificate expires in 4 days kind=certificate subject='frontend shop: shop\.pem'",
    r"<6>announcer: state changed router=lan state=Active reason=.+",
    r"<6>node: pi-a is ACTIVE, was STANDBY kind=role subject=pi-a reason='lan: .+'",
    r"<4>node: web/web2 is DOWN kind=server subject=web/web2 reason=.+",
    r"<6>node: web/web1 is DRAIN, was READY kind=admin subject=web/web1 by='anna from (::ffff:)?192\.168\.1\.50'",
    r"<6>node: reloaded why='hapair reload' changes=1 where=drain took_s=.+",
    r"<3>node: not reloaded why='hapair reload' reason=.*hapair\.yaml:[0-9]+:1.*",
    r"<4>node: pi-a and pi-b run with files that differ kind=drift subject=pi-b reason=drain",
    r"<6>node: asking pi-b to take over: asked for by .+ kind=handover subject=pi-a",
    r"<4>node: pi-a is STANDBY, was ACTIVE kind=role subject=pi-a reason='lan: .+'",
    r"<3>node: a worker is gone worker=[0-9] how=.+",
)


class Told:
    """A pair that logs and tells all that it can."""

    def __init__(self, net):
        self.net = net
        self.a, self.b = net.nodes

    def log(self, host):
        return (host.folder / "hapair.log").read_text()

    async def is_active(self):
        return (await self.net.status(self.a))["role"] == "ACTIVE"

    async def until(self, condition, within_s=20):
        with trio.move_on_after(within_s):
            while not condition():  # noqa: ASYNC110 - files tell nobody
                await trio.sleep(0.05)
            return
        raise AssertionError(f"{self.log(self.a)}\n---\n{self.log(self.b)}\n---\n{self.heard}")

    @property
    def heard(self):
        """Who was told of what: by the webhook, by the command."""
        files = [self.net.client.folder / "hook.log", self.net.file.parent / "told"]
        return [Counter(one.read_text().splitlines()) if one.exists() else Counter() for one in files]


@pytest.fixture
async def told(lab, authority):
    made = await trio.run_process([*hapair("password")], stdin=PASSWORD.encode(), capture_stdout=True)
    net = await furnish(lab, "frontends: {}\npools: {}\n")
    folder = net.file.parent
    hushed = made.stdout.decode().strip()
    file = FILE.format(password=hushed, token=TOKEN, command=folder / "page")
    net.file.write_text(net.file.read_text().replace("frontends: {}\npools: {}\n", file))
    issued = authority.issue("shop.example.org", days=5)
    for name, text in (
        ("shop.pem", issued.both.read_text()),
        ("hook.key", HOOK_KEY),
        ("hook.auth", HOOK_AUTHORIZATION),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    (folder / "page").write_text(COMMAND.format(folder=folder, token=TOKEN))
    (folder / "page").chmod(0o700)
    for server in net.servers[:2]:
        await start_web_server(server)
    await net.client.start([sys.executable, "-c", HOOK, HOOK_AUTHORIZATION], log="hook.log")
    told = Told(net)
    told.secrets = [
        (folder / "pair.key").read_text().strip(), cookie_key((folder / "pair.key").read_bytes(), folder).hex(), hushed,
        hushed.rpartition(":")[2], PASSWORD, WRONG, TOKEN, HOOK_KEY, "hush-hook-bearer",
        *(base64.b64encode(f"anna:{one}".encode()).decode() for one in (PASSWORD, WRONG)),
        issued.key.read_text().splitlines()[1],
    ]  # fmt: skip
    for node, form, journal in ((told.a, "text", {"JOURNAL_STREAM": "8:1"}), (told.b, "json", {})):
        (node.folder / "run").mkdir()
        options = [*net.options(node.name), "--log-level", "debug", "--log-format", form]
        await node.start([*hapair("up"), *options], log="hapair.log", environment=journal)
    await net.until(told.is_active, within_s=60)
    return told


async def ask(told, path, *words, password=PASSWORD):
    command = ["curl", "-s", "-m", "10", "-u", f"anna:{password}", *words, f"http://192.168.1.11:1338{path}"]
    return (await told.net.client.run(command)).stdout.decode()


async def test_each_decision_has_one_line_no_line_a_secret_and_whoever_wants_is_told(told):
    net, a = told.net, told.a
    good = net.file.read_text()
    await told.until(lambda: "the node processes hear each other" in told.log(a))
    net.file.write_text(f"{good}drain: 9s\n")  # on one node alone, for the drift that takes 10 s to be told
    assert (await a.run([*hapair("reload"), *at(a)])).returncode == 0
    net.file.write_text(f"{good}drian: 9s\n")
    assert (await a.run([*hapair("reload"), *at(a)], check=False)).returncode == 1
    net.file.write_text(f"{good}drain: 9s\n")

    for way in (f"http://{VIP}/", f"https://{VIP}/"):
        words = ["curl", "-sk", "-m", "10", "-u", f"anna:{PASSWORD}", "-b", "HUSH=forged", way]
        assert (await net.client.run(words)).returncode == 0
    await ask(told, "/metrics", password=WRONG)
    await ask(told, "/page/server", "-d", '{"pool": "web", "server": "web1", "action": "drain"}')
    net["web2"].kill(*net["web2"].find("hapair.lab.webserver"))
    await told.until(lambda: "web/web2 is DOWN" in told.log(a))
    a.kill(*a.find("hapair.worker")[:1])
    await told.until(lambda: "a worker is gone" in told.log(a))
    await told.until(lambda: re.search(r"a worker is gone(.|\n)*worker serves", told.log(a)))
    await net.until(told.is_active, within_s=60)
    assert "pi-b" in await ask(told, "/page/handover", "-d", "{}")
    await told.until(lambda: "pi-a is STANDBY, was ACTIVE" in told.log(a))
    await told.until(lambda: "run with files that differ" in told.log(a) and "files that differ" in told.log(told.b))
    nodes = [f"{node} {kind}" for node in ("pi-a", "pi-b") for kind in KINDS]
    await told.until(lambda: all(f"{one} True" in told.heard[0] for one in nodes) and set(nodes) <= set(told.heard[1]))
    events = await a.run([*hapair("events"), *at(a), "--json"])
    assert {json.loads(line)["node"] for line in events.stdout.splitlines()} == {"pi-a", "pi-b"}

    lines = told.log(a).splitlines()
    strange = [one for one in lines if not re.match(r"<[2-7]>(node|announcer|flows|worker [0-9]+): ", one)]
    assert strange == []
    counts = {one: sum(bool(re.fullmatch(one, line)) for line in lines) for one in ONCE}
    assert [f"{count}: {one}" for one, count in counts.items() if count != 1] == [], "\n".join(
        one for one in lines if "debug" not in one and not one.startswith("<7>")
    )[-6000:]
    assert all(
        {"time", "level", "process", "message"} <= json.loads(line).keys() for line in told.log(told.b).splitlines()
    )
    for node in net.nodes:
        said = told.log(node) + (await node.run([*hapair("events"), *at(node), "--json"])).stdout.decode()
        said += (await node.run([*hapair("status"), *at(node), "--json"])).stdout.decode()
        assert [one for one in told.secrets if one in said] == []
