"""The real program's admin server on both nodes: what promtool says of its metrics, what they tell of a handover."""

import json
import sys

import pytest
import trio

from hapair.lab import programs
from hapair.lab.files import hapair_yaml
from hapair.lab.pair import bring_up, furnish, measuring
from hapair.lab.plan import Plan
from hapair.lab.programs import Hapair, at, hapair

pytestmark = [pytest.mark.netns, pytest.mark.slow]

PASSWORD = "correct horse"
USERS = {"anna": "admin", "ben": "viewer"}


@pytest.fixture
async def administered(lab, monkeypatch, issued):
    """A pair whose file has an admin server with two users, and a frontend with TLS."""
    made = await trio.run_process([*hapair("password")], stdin=PASSWORD.encode(), capture_stdout=True)
    users = {name: {"password": made.stdout.decode().strip(), "level": level} for name, level in USERS.items()}

    def with_admin(plan: Plan) -> str:
        tls = {"certificates": [str(issued.both)]}
        secure = json.dumps({"listen": [f"{plan.vip}:8443"], "mode": "http", "pool": "web", "tls": tls})
        file = hapair_yaml(plan).replace("frontends:\n", f"frontends:\n  secure: {secure}\n")
        return f"{file}admin: {json.dumps({'listen': ':1338', 'users': users})}\n"

    monkeypatch.setattr(programs, "hapair_yaml", with_admin)
    pair = await furnish(lab, Hapair())
    await bring_up(pair)
    return pair


async def ask(pair, node, path, *options, user="ben"):
    """Status and body, as the client's curl has them."""
    url = f"http://{pair.plan.nodes[node]}:1338{path}"
    words = [
        "curl",
        "-s",
        "-m",
        "10",
        "-w",
        "\n%{http_code}",
        *(["-u", f"{user}:{PASSWORD}"] if user else []),
        *options,
        url,
    ]
    answer = await pair.client.run(words)
    body, _, status = answer.stdout.decode().rpartition("\n")
    return int(status), body


async def test_metrics_tell_who_is_active_and_promtool_has_nothing_to_say(administered, program):
    pair = administered
    promtool = program("promtool")
    async with measuring(pair) as measurement:
        assert await measurement.answering()
        status, metrics = await ask(pair, "pi-a", "/metrics")
    assert status == 200
    checked = await trio.run_process(
        [promtool, "check", "metrics"],
        stdin=f"{metrics}\n".encode(),
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
    lines = metrics.splitlines()
    assert 'hapair_node_role{role="ACTIVE"} 1' in lines
    assert f'hapair_vip_held{{router="lan",vip="{pair.plan.vip}/24"}} 1' in lines
    assert 'haproxy_server_status{proxy="web",server="web1",state="UP"} 1' in lines
    assert 'hapair_peer_link_up{peer="pi-b"} 1' in lines
    requests = next(one for one in lines if one.startswith('haproxy_frontend_http_requests_total{proxy="web"}'))
    assert int(requests.split()[-1]) >= 50

    _, standby = await ask(pair, "pi-b", "/metrics")
    assert 'hapair_node_role{role="STANDBY"} 1' in standby.splitlines()
    await pair.nodes["pi-a"].run([*hapair("handover"), *at(pair.nodes["pi-a"])])
    assert await pair.settled("pi-b")
    _, active = await ask(pair, "pi-b", "/metrics")
    assert 'hapair_node_role{role="ACTIVE"} 1' in active.splitlines()


HAPROXY = """
global
  maxconn 4000
defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
frontend web
  bind 127.0.0.1:8080
  default_backend web
frontend stats
  bind 127.0.0.1:8404
  stats enable
  http-request use-service prometheus-exporter if {{ path /metrics }}
backend web
  option httpchk GET /healthz
{servers}
"""
COUNTED = (
    "hrsp_2xx",
    "hrsp_4xx",
    "hrsp_5xx",
    "req_tot",
    "dreq",
    "dresp",
    "ereq",
    "econ",
    "eresp",
    "wretr",
    "status",
    "type",
)
PLACED = (
    "act",
    "bck",
    "weight",
    "lbtot",
    "stot",
    "check_status",
    "check_rise",
    "check_fall",
    "check_health",
    "addr",
    "mode",
)


def table(text):
    """Rows by proxy and server, columns by name, of the columns that are the same in all versions."""
    header, *lines = text.removeprefix("# ").splitlines() or [""]
    names = header.split(",")
    assert all(len(line.split(",")) == len(names) for line in lines if line)
    rows = [dict(zip(names, line.split(","), strict=True)) for line in lines if line]
    return names[:104], {(row["pxname"], row["svname"]): row for row in rows if row["pxname"] == "web"}


def kind(value):
    return "number" if value.lstrip("-").isdigit() else "text"


async def theirs(client):
    """HAProxy's table."""
    asked = await client.run(["curl", "-s", "-m", "10", "http://127.0.0.1:8404/haproxy?stats;csv"], check=False)
    return table(asked.stdout.decode())


async def ours(pair):
    return table((await ask(pair, "pi-a", "/haproxy?stats/;csv"))[1])


def is_checked(rows):
    """Whether there are servers, and a check of each has passed."""
    checked = [row["check_status"] for (_, name), row in rows.items() if name not in ("FRONTEND", "BACKEND")]
    return len(checked) == 3 and set(checked) == {"L7OK"}


def differences(names, mine, other):
    """Of the columns that must be the same, and of the kinds of all: row, column, and both values."""
    found = []
    for row, theirs_row in other.items():
        same = {*COUNTED, *PLACED}
        if row[1] == "FRONTEND":
            same.remove("stot")  # curl keeps its connection; HAProxy does too, and counts it once
        for name in (name for name in names if theirs_row[name] and mine[row][name]):
            values = mine[row][name], theirs_row[name]
            if kind(values[0]) != kind(values[1]) or (name in same and values[0] != values[1]):
                found.append((row, name, *values))
    return found


async def test_the_statistics_are_haproxys_field_by_field(administered, program):
    """Thirty requests through each of them, to the same three servers."""
    program("haproxy")
    pair, client = administered, administered.client
    file = client.folder / "haproxy.cfg"
    servers = "\n".join(
        f"  server {name} {address} check inter 500ms rise 1 fall 2" for name, address in pair.plan.servers.items()
    )
    file.write_text(HAPROXY.format(servers=servers))
    await client.start(["haproxy", "-db", "-f", str(file)], log="haproxy.log")
    with trio.fail_after(60):  # until both have found each server well
        while not all(is_checked(rows) for _, rows in (await theirs(client), await ours(pair))):  # noqa: ASYNC110
            await trio.sleep(0.1)
    for url in ("http://127.0.0.1:8080/", f"http://{pair.plan.vip}/"):
        await client.run(["curl", "-s", "-m", "20", "-o", "/dev/null", f"{url}?[1-30]"])
    with trio.move_on_after(60):  # what workers have counted is told once a second
        while differences(*await ours(pair), (await theirs(client))[1]):  # noqa: ASYNC110
            await trio.sleep(0.2)
    (names, mine), (their_names, other) = await ours(pair), await theirs(client)
    assert names == their_names
    assert list(mine) == list(other)
    assert differences(names, mine, other) == []
    unknown = {name for row in other for name in names if other[row][name] and not mine[row][name]}
    assert unknown == set()

    theirs_metrics = (await client.run(["curl", "-s", "http://127.0.0.1:8404/metrics"])).stdout.decode()
    _, metrics = await ask(pair, "pi-a", "/metrics")
    kinds = {line for line in theirs_metrics.splitlines() if line.startswith("# TYPE ")}
    ours_of_proxies = {line for line in metrics.splitlines() if line.startswith("# TYPE haproxy_")}
    assert ours_of_proxies <= kinds
    lacking = {line.split()[2] for line in kinds - ours_of_proxies if "haproxy_process_" not in line}
    limits = {"idle_connections_limit", "queue_limit", "limit_sessions", "current_throttle"}
    assert lacking <= {f"haproxy_server_{name}" for name in limits}  # there are none, and HAProxy says NaN


ASKER = """
import socket, sys
with socket.socket(socket.AF_UNIX) as asker:
    asker.connect(sys.argv[1])
    asker.sendall(sys.argv[2].encode())
    while data := asker.recv(65536):
        sys.stdout.buffer.write(data)
"""


async def socket_says(host, line):
    """What socat gets, as an administrator has it."""
    words = [sys.executable, "-c", ASKER, str(host.folder / "run" / "hapair.sock"), f"{line}\n"]
    return (await host.run(words)).stdout.decode()


async def test_actions_by_page_and_by_socket(administered):
    pair = administered
    a = pair.nodes["pi-a"]
    status, _ = await ask(pair, "pi-a", "/haproxy?stats", "-d", "s=web1&action=drain&b=web", user="anna")
    assert status == 303
    assert (await socket_says(a, "show stat web 4 1")).splitlines()[1].split(",")[17] == "DRAIN"
    assert await socket_says(a, "set server web/web1 state ready; get weight web/web1") == "\n1 (initial 1)\n\n"
    assert await socket_says(a, "set server web/web2 weight 9") == "\n"
    state = json.loads((await a.run([*hapair("status"), *at(a), "--json"])).stdout)["pools"][0]["servers"]
    assert [(one["name"], one["admin"], one["full_weight"]) for one in state] == [
        ("web1", "ready", 1),
        ("web2", "ready", 9),
        ("web3", "ready", 1),
    ]
    _, body = await ask(pair, "pi-a", "/haproxy?stats", "-i", "-d", "s=web1&action=drain&b=web")
    assert "Location: /haproxy?stats;st=DENY" in body
    foreign = ("-H", "Origin: http://evil.example", "-d", "s=web1&action=drain&b=web")
    assert (await ask(pair, "pi-a", "/haproxy?stats", *foreign, user="anna"))[0] == 403
    assert "\nnode: pi-a\n" in await socket_says(a, "show info")


HOLDER = """
import pathlib, socket, ssl, sys, time

address, folder = (sys.argv[1], 8443), pathlib.Path(sys.argv[2])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

def connect():
    return context.wrap_socket(socket.create_connection(address, 10), server_hostname="www.example.org")

def ask(stream):
    stream.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
    print(stream.recv(65536)[:12].decode())

with connect() as held:
    ask(held)
    (folder / "held").touch()
    until = time.monotonic() + 20
    while not (folder / "go").exists() and time.monotonic() < until:
        time.sleep(0.05)
    ask(held)
    with connect() as other:
        ask(other)
        for one in (held, other):
            print(ssl.DER_cert_to_PEM_cert(one.getpeercert(True)).replace("\\n", ""))
"""


BADLY = """
import socket, sys

with socket.create_connection((sys.argv[1], 80), 5) as client:
    client.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\nBad Name: x\\r\\nCookie: word\\r\\n\\r\\n")
    client.recv(65536)
"""


async def test_another_certificate_while_connections_are_open(administered, authority, issued, tmp_path):
    """It is set and committed by the socket: new connections get it, one that is open goes on; no log has its key."""
    pair, a = administered, administered.nodes["pi-a"]
    other, source = authority.issue("www.example.org", rsa=True), str(issued.both)
    said = {}

    async def hold():
        words = [sys.executable, "-c", HOLDER, str(pair.plan.vip), str(tmp_path)]
        said["holder"] = (await pair.client.run(words)).stdout.decode().splitlines()

    with trio.fail_after(40):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hold)
            while not (tmp_path / "held").exists():  # noqa: ASYNC110 - another process makes it
                await trio.sleep(0.05)
            payload = other.both.read_text()
            created = f"Transaction created for certificate {source}!\n\n"
            assert await socket_says(a, f"set ssl cert {source} <<\n{payload}") == created
            committed = await socket_says(a, f"commit ssl cert {source}")
            assert committed.startswith(f"Committing {source}.\nSuccess!\nOn this node alone")
            await trio.sleep(0.5)  # a message from the node to its workers
            (tmp_path / "go").touch()
    *statuses, held, fresh = said["holder"]
    assert statuses == ["HTTP/1.1 200"] * 3
    assert held == issued.certificate.read_text().replace("\n", "")
    assert fresh == other.certificate.read_text().replace("\n", "")
    assert "Algorithm: RSA2048\n" in await socket_says(a, f"show ssl cert {source}")
    warnings = json.loads((await a.run([*hapair("status"), *at(a), "--json"])).stdout)["warnings"]
    assert f"frontend secure: another certificate stands for {source} until that file changes" in warnings
    key = other.key.read_text().splitlines()[1]
    logs = [path for path in a.folder.rglob("*.log") if path.is_file()]
    assert logs
    assert [path for path in logs if key in path.read_text(errors="replace")] == []

    # What is wrong is shown without what is secret, and what was counted begins anew.
    await pair.client.run([sys.executable, "-c", BADLY, str(pair.plan.vip)])
    errors = await socket_says(a, "show errors web request")
    assert "invalid request\n" in errors
    assert "error at position 28\n" in errors
    assert "Bad Name: x\\r\\n" in errors
    assert "word" not in errors
    counted = dict(zip(*_columns(await socket_says(a, "show stat web 1 0")), strict=True))
    assert int(counted["stot"]) >= 1
    assert await socket_says(a, "clear counters all") == "\n"
    counted = dict(zip(*_columns(await socket_says(a, "show stat web 1 0")), strict=True))
    assert (counted["stot"], counted["ereq"], counted["bin"], counted["smax"]) == ("0", "0", "0", "0")


def _columns(text):
    return [line.split(",") for line in text.removeprefix("# ").splitlines() if line]


async def page_of(pair, node):
    """The whole that the stats page of a node begins with."""
    url = f"http://{pair.plan.nodes[node]}:1338/page/events"
    first = f"curl -sN -m 20 -u 'ben:{PASSWORD}' {url} | sed -n '/^event: whole$/{{n;s/^data: //p;q}}'"
    return json.loads((await pair.client.run(["sh", "-c", first])).stdout)


async def test_the_stats_page_of_both_nodes_and_a_handover_by_it(administered):
    """Requests by the VIP are on the page with their latency; each node tells what it knows of the other."""
    pair = administered
    a = pair.nodes["pi-a"]
    url = f"http://{pair.plan.vip}/"
    await pair.client.run(["curl", "-s", "-m", "20", "-o", "/dev/null", f"{url}?[1-30]"])
    with trio.fail_after(60):  # a status goes to the peer once a second, and a sample is taken
        one, other = await page_of(pair, "pi-a"), await page_of(pair, "pi-b")
        while not (all(page["state"]["peer"]["current"] for page in (one, other)) and is_served(one)):
            one, other = await page_of(pair, "pi-a"), await page_of(pair, "pi-b")
    assert (one["state"]["node"]["role"], other["state"]["node"]["role"]) == ("ACTIVE", "STANDBY")
    assert one["state"]["peer"]["told"]["role"] == "STANDBY"
    assert other["state"]["peer"]["told"]["routers"]["lan"]["state"] == "Active"
    assert any("is ACTIVE" in event["words"] for event in one["events"])
    status, body = await ask(pair, "pi-a", "/page/server", "-d", json.dumps(DRAIN), user="anna")
    assert (status, json.loads(body)["words"]) == (200, "web/web1 is DRAIN")
    assert (await socket_says(a, "show stat web 4 1")).splitlines()[1].split(",")[17] == "DRAIN"
    assert (await ask(pair, "pi-a", "/page/server", "-d", json.dumps(DRAIN)))[0] == 403
    status, body = await ask(pair, "pi-a", "/page/handover", "-d", "{}", user="anna")
    assert (status, json.loads(body)["ok"]) == (200, True), body
    assert await pair.settled("pi-b")
    with trio.fail_after(60):  # what the page shows is as old as a second
        while (await page_of(pair, "pi-b"))["state"]["routers"]["lan"]["state"] != "Active":
            pass


def is_served(page):
    """All thirty requests are counted, and all servers were found well."""
    state = page["state"]
    statuses = {server["status"] for server in state["servers"].values()}
    return state["frontends"]["web"]["total"] >= 30 and statuses == {"UP"}


DRAIN = {"pool": "web", "server": "web1", "action": "drain"}


async def test_who_may_ask(administered):
    pair = administered
    assert await ask(pair, "pi-a", "/healthz", user=None) == (200, "ok\n")
    with trio.fail_after(60):  # the pair is settled before the other node has all of its workers
        while (answer := await ask(pair, "pi-b", "/readyz", user=None))[0] == 503:  # noqa: ASYNC110
            await trio.sleep(0.1)
    assert answer == (200, "ready\n")
    assert (await ask(pair, "pi-a", "/metrics", user=None))[0] == 401
    assert (await ask(pair, "pi-a", "/metrics", user="carl"))[0] == 401
