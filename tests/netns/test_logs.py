"""Access logs of the real program: every target gets its lines, a rotation loses none, a slow one costs lines alone."""

import json
import re
import signal
import socket
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from hapair.lab.namespace import run_in
from hapair.lab.programs import at, hapair, status_of

pytestmark = [pytest.mark.netns, pytest.mark.slow]

TARGETS = {
    "file": "{folder}/access.log",
    "stdout": "stdout",
    "journald": "journald",
    "unix": "syslog:{folder}/dgram.sock",
    "stream": "syslog:{folder}/stream.sock",
    "udp": "syslog:192.168.1.60:514",
    "tcp": "syslog+tcp:192.168.1.60:601",
    "slow": "syslog:{folder}/slow.sock",
}
JOURNAL = Path("/run/systemd/journal/socket")
LINE = (
    r"192\.168\.1\.50:[0-9]+ \[[^]]+\] {0} {0}/<NOSRV> 0/-1/-1/-1/0 200 [0-9]+ - - LR-- 1/1/0/0/0 0/0 "
    r'"GET /{0} HTTP/1\.1"'
)
SYSLOG = r"<134>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} hapair\[[0-9]+\]: "


def file_of(folder: Path) -> str:
    frontends = {
        name: {
            "listen": [f"192.168.1.11:{81 + number}"],
            "routes": [{"respond": {"body": "ok"}}],
            "access_log": {"format": "httplog", "to": to.format(folder=folder), "queue_lines": 64},
        }
        for number, (name, to) in enumerate(TARGETS.items())
    }
    return json.dumps({"pair": {"nodes": {"pi-a": "192.168.1.11"}}, "workers": 2, "frontends": frontends})


@pytest.fixture
async def node(lab):
    """A node that logs everywhere; who receives is there before it."""
    return await lab.host("pi-a", "192.168.1.11")


@pytest.fixture
async def receivers(lab, node):
    JOURNAL.parent.mkdir(parents=True)
    logs = await lab.host("logs", "192.168.1.60")
    datagram, stream = (socket.AF_UNIX, socket.SOCK_DGRAM), (socket.AF_UNIX, socket.SOCK_STREAM)
    made = {
        "journald": bound(datagram, str(JOURNAL)),
        "unix": bound(datagram, str(node.folder / "dgram.sock")),
        "stream": bound(stream, str(node.folder / "stream.sock")),
        "slow": bound(stream, str(node.folder / "slow.sock")),
        "udp": run_in(logs.namespace, lambda: bound((socket.AF_INET, socket.SOCK_DGRAM), ("", 514))),
        "tcp": run_in(logs.namespace, lambda: bound((socket.AF_INET, socket.SOCK_STREAM), ("", 601))),
    }
    yield made
    for one in made.values():
        one.close()


def bound(kind, address):
    made = socket.socket(*kind)
    made.bind(address)
    if kind[1] == socket.SOCK_STREAM:
        made.listen()
    made.settimeout(10)
    return made


@pytest.fixture
async def ask(lab, node, receivers):
    client = await lab.host("client", "192.168.1.50")
    file = node.folder / "hapair.yaml"
    file.write_text(file_of(node.folder))
    (node.folder / "run").mkdir()
    await node.start([*hapair("up"), "--config", str(file), "--node", "pi-a", *at(node)], log="hapair.log")

    async def get(frontend, path=None):
        port = 81 + list(TARGETS).index(frontend)
        url = f"http://192.168.1.11:{port}/{frontend if path is None else path}"
        return (await client.run(["curl", "-sS", "-m", "20", url], check=False)).stdout

    with trio.fail_after(60):
        while (await status_of(node) or {}).get("ready") is not True:  # noqa: ASYNC110 - it tells who asks
            await trio.sleep(0.1)
    return get


async def received(receiver):
    """All of one datagram, or of what comes first on a connection."""
    if receiver.type == socket.SOCK_DGRAM:
        return (await trio.to_thread.run_sync(receiver.recv, 65536)).decode()
    connection, _ = await trio.to_thread.run_sync(receiver.accept)
    with connection:
        connection.settimeout(10)
        return (await trio.to_thread.run_sync(connection.recv, 65536)).decode()


async def test_every_target_gets_its_lines(ask, node, receivers):
    for target in ("unix", "udp", "stream", "tcp"):
        assert await ask(target) == b"ok"
        line = await received(receivers[target])
        ended = "\n" if target in ("stream", "tcp") else ""
        assert re.fullmatch(SYSLOG + LINE.format(target) + ended, line), line
    assert await ask("journald") == b"ok"
    entry = await received(receivers["journald"])
    form = "PRIORITY=6\nSYSLOG_IDENTIFIER=hapair\nMESSAGE=" + LINE.format("journald") + "\n"
    assert re.fullmatch(form, entry), entry
    for target, path in (("file", node.folder / "access.log"), ("stdout", node.folder / "hapair.log")):
        assert await ask(target) == b"ok"
        await line_in(path, LINE.format(target))

    log = node.folder / "access.log"
    log.rename(node.folder / "access.log.1")
    await ask("file", "renamed")
    await line_in(node.folder / "access.log.1", "GET /renamed ")
    node.send_signal(signal.SIGUSR2, *node.find("hapair", "up"))
    with trio.fail_after(60):
        while not log.exists():  # noqa: ASYNC110 - a file tells nobody
            await trio.sleep(0.02)
    assert log.stat().st_mode & 0o777 == 0o640
    for number in range(20):  # each worker has changed over
        await ask("file", f"after-{number}")
    await line_in(log, "GET /after-19 ")
    assert log.read_text().count("GET /after-") + (node.folder / "access.log.1").read_text().count("GET /after-") == 20
    assert await dropped(node) == 0


async def line_in(path, pattern):
    with trio.fail_after(60):
        while not (path.exists() and re.search(pattern, path.read_text())):  # noqa: ASYNC110 - a file tells nobody
            await trio.sleep(0.02)


@pytest.mark.alone  # the log writer waits for five seconds, and no answer may wait for it
async def test_a_target_that_takes_nothing_costs_lines_that_are_counted_and_delays_nobody(ask, node, receivers):
    with trio.fail_after(4):  # before the writer loses its patience
        answers = await ask("slow", "[100-399]?" + "x" * 4000)
    assert answers == b"ok" * 300
    while not await dropped(node):  # noqa: ASYNC110 - it tells who asks
        await trio.sleep(0.05)
    whole = set()
    receivers["slow"].settimeout(1)
    with trio.fail_after(60):
        while len(whole) + await dropped(node) < 300:
            connection, _ = await trio.to_thread.run_sync(receivers["slow"].accept)
            whole |= set(re.findall(rb"GET /([0-9]{3})\?x{4000} HTTP", await all_of(connection)))
    assert len(whole) + await dropped(node) == 300
    assert await dropped(node) > 100


async def dropped(node):
    return (await status_of(node))["log_lines_dropped"]


async def all_of(connection):
    """Until nothing has come for a second."""
    data = b""
    with connection, suppress(TimeoutError):
        connection.settimeout(1)
        while more := await trio.to_thread.run_sync(connection.recv, 1 << 20):
            data += more
    return data
