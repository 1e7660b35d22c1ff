"""Routes, rules and pages through the real program: from the file, by the node, to a worker, asked by curl."""

import pytest
import trio

from hapair.lab.pair import start_web_server
from hapair.lab.programs import at, hapair

pytestmark = [pytest.mark.netns, pytest.mark.slow]

FILE = """\
pair:
  nodes: {pi-a: 192.168.1.11}
workers: 1
frontends:
  web:
    listen: ["192.168.1.11:80"]
    pool: web
    acme: %s/acme
    error_pages: {503: pages/sorry.html}
    request_id: true
    response: {set_headers: {X-Served-By: "{server}", X-Request-ID: "{request_id}"}}
    routes:
      - {path: /old, redirect: "https://{hostname}{target}"}
      - {path: "/secret*", unless: {client: 192.0.2.0/24}, deny: 403}
      - {path: /down, pool: down}
pools:
  web: {servers: {web1: "192.168.1.21:8080"}}
  down: {servers: {down1: "192.168.1.11:9"}}
"""


@pytest.fixture
async def ask(lab):
    """curl on a client, for a path of a running node; what it got, head and body."""
    server = await lab.host("web1", "192.168.1.21")
    node = await lab.host("pi-a", "192.168.1.11")
    client = await lab.host("client", "192.168.1.50")
    await start_web_server(server)
    file = node.folder / "hapair.yaml"
    file.write_text(FILE % node.folder)
    for folder, name, text in (("pages", "sorry.html", "<p>sorry"), ("acme", "token", "token.thumb")):
        (node.folder / folder).mkdir()
        (node.folder / folder / name).write_text(text)
    (node.folder / "run").mkdir()
    await node.start([*hapair("up"), "--config", str(file), "--node", "pi-a", *at(node)], log="hapair.log")

    async def get(*paths):
        urls = [f"http://192.168.1.11{path}" for path in paths]
        run = await client.run(["curl", "-sS", "-i", "-m", "20", "-w", "[%{num_connects}]", *urls], check=False)
        return run.stdout.decode().replace("\r\n", "\n")

    with trio.fail_after(60):
        while "200 OK" not in await get("/"):  # noqa: ASYNC110 - curl tells
            await trio.sleep(0.1)
    return get


async def test_what_the_file_says_is_what_a_client_sees(ask):
    got = await ask("/old?x=1", "/secret", "/")
    moved, denied, served = got.split("HTTP/1.1 ")[1:]
    assert moved.startswith("302 Found\nLocation: https://192.168.1.11/old?x=1\n")
    assert denied.startswith("403 Forbidden\n")
    assert served.startswith("200 OK\n")
    assert "\nX-Served-By: web1\n" in served
    assert [part.rpartition("[")[2][0] for part in (moved, denied, served)] == ["1", "0", "0"]
    challenge = await ask("/.well-known/acme-challenge/token")
    assert challenge.startswith("HTTP/1.1 200 OK\n")
    assert "\n\ntoken.thumb[" in challenge
    down = await ask("/down")
    assert down.startswith("HTTP/1.1 503 Service Unavailable\n")
    assert "\n\n<p>sorry[" in down
