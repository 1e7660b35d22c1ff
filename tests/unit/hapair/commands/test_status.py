"""`hapair status`: the snapshot for a person, and for a machine."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from balancer.queue_counts import QueueCounts
from balancer.slots import Counts
from hapair.admin.runtime import NotRunningError
from hapair.commands import status
from hapair.persistence.views import PersistencePeerView, PersistenceView
from hapair.snapshot import (
    CertificateView,
    FenceView,
    FrontendView,
    LinkView,
    NodeSnapshot,
    PeerView,
    PoolView,
    ProcessView,
    RouterView,
    ServerView,
    TrackedView,
)
from hapair.wire import to_plain

COUNTS = Counts(3, 40, 1536, 2_000_000, 500, 0, 490, 0, 7, 2, 1, 0, 0, 0, 0, 0)
NODE = NodeSnapshot(
    version=1,
    hapair="0.1.0",
    node="pi-a",
    role="ACTIVE",
    uptime_s=190.0,
    config="/etc/hapair/hapair.yaml",
    routers=(
        RouterView(
            name="lan", vrid=51, interface="eth0", version=3, group=None, stays_backup=False, adverts_unsigned=0,
            tracked=(TrackedView(name="script dns", ok=False, weight=-20, reason="exit status 1", since_s=20.0),),
            state="Active", since_s=12.0, reason="Active_Down_Timer fired",
            waiting_for=None, priority=200, configured_priority=200, vips=("192.0.2.100/24",),
            vips_held=("192.0.2.100/32",), lease_s=1, lease_age_s=0.2, active_router=None, transitions=1,
            adverts_sent=9, adverts_received=0, adverts_rejected={}, unusual_checksums=0, vips_restored=0,
            lateness_max_ms=0.0,
        ),
    ),
    frontends=(FrontendView(name="web", mode="http", listen=("192.0.2.100:80", "[2001:db8::1]:80"), active=True,
                            counts=COUNTS, causes={"denied": 2, "body_too_slow": 30}),),
    pools=(
        PoolView(
            name="web",
            policy="least_connections",
            servers=(
                ServerView(name="web1", address="192.0.2.21:80", weight=1, backup=False, health="UP", up=True,
                           reason="", since_s=None, counts=COUNTS),
                ServerView(name="web2", address="[2001:db8::22]:80", weight=2, backup=True, health="DOWN 1/2", up=False,
                           reason="answered 503", since_s=7400.0, counts=COUNTS),
            ),
        ),
    ),
    processes=(
        ProcessView(name="announcer", pid=7, state="running"),
        ProcessView(name="worker 0", pid=None, state="dead"),
    ),
    link=LinkView(peer="pi-b", peer_address="192.0.2.12", up=True, since_s=65.0, lost=1, last_cause="died",
                  last_detail="end of file", waiting_for=None, rejected={}, round_trip_ms=0.25),
    fence=FenceView(obstacle=None, restored=0),
    restarts=0,
    warnings=("pool web: DOWN: web2 (answered 503)",),
)  # fmt: skip


def shown(node: NodeSnapshot) -> list[str]:
    out = io.StringIO()
    status.show(node, Console(file=out, width=200, color_system=None))
    return [" ".join(line.split()) for line in out.getvalue().splitlines() if line.strip()]


def test_everything_is_on_one_screen() -> None:
    assert shown(NODE) == [
        "pi-a is ACTIVE, up for 3m10s, /etc/hapair/hapair.yaml",
        "! pool web: DOWN: web2 (answered 503)",
        "Virtual routers",
        "name vrid on state for addresses lease why",
        "lan 51 eth0 Active 12s 192.0.2.100/24 1s, 200ms old Active_Down_Timer fired",
        "Tracked",
        "router what weight well for why",
        "lan script dns -20 no 20s exit status 1",
        "Liveness link to pi-b (192.0.2.12) up for 1m05s, round trip 0.25 ms, lost 1 times, last: end of file",
        "Frontends",
        "name listen mode here open connections requests 5xx in out",
        "web 192.0.2.100:80 [2001:db8::1]:80 http yes 3 40 500 2 1.5 KiB 1.9 MiB",
        "30 body too slow",
        "2 denied",
        "Pool web (least_connections, 1 of 2 UP)",
        "server address weight health for open connections requests 5xx why",
        "web1 192.0.2.21:80 1 UP - 3 40 500 2",
        "web2 [2001:db8::22]:80 backup 2 DOWN 1/2 2h03m 3 40 500 2 answered 503",
        "announcer running (pid 7) worker 0 dead (pid -)",
    ]


def test_frontends_of_datagrams_have_a_table_of_their_own() -> None:
    counts = replace(COUNTS, datagrams_in=70, datagrams_out=60, dropped=5)
    dns = FrontendView(name="dns", mode="udp", listen=("192.0.2.100:53",), active=True, counts=counts)
    lines = shown(replace(NODE, frontends=(dns,)))
    assert "Frontends" not in lines
    at = lines.index("Frontends of mode udp")
    assert lines[at + 1 : at + 3] == [
        "name listen here flows in all received sent dropped in out",
        "dns 192.0.2.100:53 yes 3 40 70 60 5 1.5 KiB 1.9 MiB",
    ]


def test_when_certificates_expire_is_shown() -> None:
    certificates = (
        CertificateView(owner="frontend web", source="web.pem", names=("a.io", "b.io", "c.io", "d.io"),
                        key="EC", expires_in_s=7_776_000.0, trouble=None),
        CertificateView(owner="frontend web", source="old.pem", names=("old.example",), key="RSA",
                        expires_in_s=-60.0, trouble=None),
        CertificateView(owner="pool web", source="ca.pem", names=(), key="", expires_in_s=None,
                        trouble="cannot be read"),
    )  # fmt: skip
    lines = shown(replace(NODE, certificates=certificates))
    at = lines.index("Certificates")
    assert lines[at + 1 : at + 5] == [
        "of file names key expires in why not",
        "frontend web web.pem a.io b.io c.io and 1 more EC 90d00h",
        "frontend web old.pem old.example RSA 0s",
        "pool web ca.pem - cannot be read",
    ]
    assert json.loads(json.dumps(to_plain(certificates)))[0]["expires_in_s"] == 7_776_000.0


@pytest.mark.parametrize("text", ["[fd00::1]:80", "answered [/bold] 503"])
def test_brackets_in_texts_are_shown_as_they_are(text: str) -> None:
    assert f"! {text}" in shown(replace(NODE, warnings=(text,)))


def test_a_standby_without_anything() -> None:
    node = replace(NODE, role="STANDBY", routers=(), frontends=(), pools=(), processes=(), link=None, warnings=())
    assert shown(node) == ["pi-a is STANDBY, up for 3m10s, /etc/hapair/hapair.yaml"]


PEER = PeerView(
    name="pi-b", address="192.0.2.12", up=True, since_s=60.0, waits_for=None, age_s=0.42,
    snapshot=replace(
        NODE, node="pi-b", role="STANDBY", warnings=(),
        routers=(replace(NODE.routers[0], state="Backup", since_s=9.0, lease_age_s=None, reason="", tracked=()),),
        pools=(replace(NODE.pools[0], servers=(replace(NODE.pools[0].servers[0], up=False, health="DOWN"),)),),
    ),
    warnings=("pi-b: look there too",),
)  # fmt: skip


def test_both_nodes_where_the_peer_is_heard() -> None:
    lines = shown(replace(NODE, peer=PEER))
    assert lines[:4] == [
        "pi-a is ACTIVE, up for 3m10s, /etc/hapair/hapair.yaml",
        "pi-b (192.0.2.12) is STANDBY, up for 3m10s, hapair 0.1.0, as of 0.4s ago",
        "! pool web: DOWN: web2 (answered 503)",
        "! pi-b: look there too",
    ]
    at = lines.index("Virtual routers")
    assert lines[at + 1 : at + 4] == [
        "node name vrid on state for addresses lease why",
        "pi-a lan 51 eth0 Active 12s 192.0.2.100/24 1s, 200ms old Active_Down_Timer fired",
        "pi-b lan 51 eth0 Backup 9s 192.0.2.100/24 -",
    ]
    at = lines.index("Pool web (least_connections, 1 of 2 UP)")
    assert lines[at + 1 : at + 4] == [
        "server address weight health at pi-b for open connections requests 5xx why",
        "web1 192.0.2.21:80 1 UP DOWN - 3 40 500 2",
        "web2 [2001:db8::22]:80 backup 2 DOWN 1/2 - 2h03m 3 40 500 2 answered 503",
    ]


@pytest.mark.parametrize(
    ("peer", "line"),
    [
        (
            replace(PEER, up=False, since_s=75.0, age_s=76.0, waits_for="the peer (no answer)"),
            "pi-b (192.0.2.12) is not heard for 1m15s: waits for the peer (no answer); it was STANDBY 1m16s ago",
        ),
        (
            replace(PEER, up=False, since_s=5.0, age_s=None, snapshot=None, waits_for="the peer"),
            "pi-b (192.0.2.12) is not heard for 5s: waits for the peer",
        ),
        (replace(PEER, age_s=None, snapshot=None), "pi-b (192.0.2.12) is heard, and has said nothing of itself yet"),
    ],
)
def test_a_peer_that_says_nothing(peer: PeerView, line: str) -> None:
    assert shown(replace(NODE, peer=peer))[1] == line


def test_what_a_peer_said_before_it_fell_silent_is_shown_as_old() -> None:
    lines = shown(replace(NODE, peer=replace(PEER, up=False, age_s=76.0, waits_for="the peer (no answer)")))
    assert "pi-b 1m16s ago lan 51 eth0 Backup 9s 192.0.2.100/24 -" in lines
    assert "server address weight health at pi-b 1m16s ago for open connections requests 5xx why" in lines


def test_a_node_that_holds_no_vip_has_no_lease() -> None:
    routers = (replace(NODE.routers[0], state="Backup", vips_held=(), lease_age_s=65.0, tracked=()),)
    lines = shown(replace(NODE, routers=routers))
    assert "lan 51 eth0 Backup 12s 192.0.2.100/24 - Active_Down_Timer fired" in lines


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        (PEER, "pi-b"),
        (None, "this node has no peer that it could hear: that needs pair.secret_file, and two nodes"),
        (
            replace(PEER, snapshot=None, waits_for="the peer (no answer)"),
            "nothing was heard of pi-b yet: it waits for the peer (no answer)",
        ),
        (replace(PEER, snapshot=None, trouble="another version"), "nothing was heard of pi-b yet: another version"),
    ],
)
def test_the_other_nodes_own_status(peer: PeerView | None, expected: str) -> None:
    plain = to_plain(replace(NODE, peer=peer))
    assert status.chosen(plain, of_peer=False) == plain
    if peer is PEER:
        assert status.chosen(plain, of_peer=True)["node"] == expected
    else:
        with pytest.raises(status.NothingHeardError) as caught:
            status.chosen(plain, of_peer=True)
        assert str(caught.value) == expected


def test_json_again_each_second_until_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [to_plain(NODE), NotRunningError("no hapair answers")]

    async def ask(_: Path, command: str) -> object:
        if not answers:
            raise KeyboardInterrupt
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(status, "ask", ask)
    monkeypatch.setattr(status, "INTERVAL_S", 0)
    result = CliRunner().invoke(status.command, ["--watch", "--json"])
    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert json.loads(first)["node"] == "pi-a"
    assert json.loads(second) == {"error": "no hapair answers"}


def test_watching_plainly_draws_the_same_and_waits_for_a_node_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [to_plain(NODE), NotRunningError("no hapair answers")]
    drawn: list[str] = []

    async def ask(_: Path, command: str) -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def watch(draw: Any, *, console: Console) -> None:
        for _ in range(2):
            out = io.StringIO()
            Console(file=out, width=200, color_system=None).print(await draw())
            drawn.append(out.getvalue())

    monkeypatch.setattr(status, "ask", ask)
    monkeypatch.setattr(status, "watch", watch)
    assert CliRunner().invoke(status.command, ["--watch"]).exit_code == 0
    assert "pi-a is ACTIVE" in drawn[0]
    assert drawn[1] == "no hapair answers\n"


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.9, "0s"),
        (59.9, "59s"),
        (60, "1m00s"),
        (3599, "59m59s"),
        (3600, "1h00m"),
        (86_399, "23h59m"),
        (367_200, "4d06h"),
    ],
)
def test_a_span(seconds: float, written: str) -> None:
    assert status.span(seconds) == written


@pytest.mark.parametrize(
    ("count", "written"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (3 << 30, "3.0 GiB"), (5 << 40, "5.0 TiB")],
)
def test_a_size(count: int, written: str) -> None:
    assert status.size(count) == written


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_: Path, command: str) -> object:
        assert command == "status"
        return to_plain(NODE)

    monkeypatch.setattr(status, "ask", answer)


@pytest.mark.usefixtures("answering")
def test_for_machines_it_is_the_snapshot_as_json() -> None:
    result = CliRunner().invoke(status.command, ["--json"])
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert (document["node"], document["role"], document["version"]) == ("pi-a", "ACTIVE", 1)
    assert document["pools"][0]["servers"][1]["health"] == "DOWN 1/2"


@pytest.mark.usefixtures("answering")
def test_for_a_pipe_it_is_the_same_as_for_a_person_and_without_colour() -> None:
    result = CliRunner().invoke(status.command, [])
    assert result.exit_code == 0
    assert result.stdout.startswith("pi-a is ACTIVE, up for 3m10s, /etc/hapair/hapair.yaml\n")
    assert "\x1b" not in result.stdout


def test_where_no_node_runs_the_exit_status_is_3(tmp_path: Path) -> None:
    result = CliRunner().invoke(status.command, ["--runtime-dir", str(tmp_path)])
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr == f"hapair: no hapair answers on {tmp_path}/hapair.sock; `hapair up` starts one\n"


def test_how_many_wait_is_shown_while_somebody_does() -> None:
    (pool,) = NODE.pools
    waiting = QueueCounts(waiting=2)
    servers = (replace(pool.servers[0], queue=waiting), *pool.servers[1:])
    node = replace(NODE, pools=(replace(pool, queue=waiting, servers=servers),))
    assert "Pool web (least_connections, 1 of 2 UP, 4 waiting)" in shown(node)


def test_clients_that_come_back() -> None:
    web = PersistenceView(pool="web", cookie="H", cookies={"set": 3, "forged": 1}, size=None, used=0, evicted=0)
    db = PersistenceView(pool="db", cookie=None, cookies={}, size=100, used=7, evicted=2)
    peer = PersistencePeerView(up=True, waiting=4, lag_s=0.012, resyncs=1)
    lines = shown(replace(NODE, persistence=(web, db), persistence_peer=peer))
    at = lines.index("Clients that come back (12 ms late, 4 waiting)")
    assert lines[at + 1 : at + 4] == [
        "pool cookie accepted forged stale moved set addresses evicted",
        "web H 0 1 0 0 3 - -",
        "db - - - - - - 7 of 100 2",
    ]
    away = shown(replace(NODE, persistence=(db,), persistence_peer=replace(peer, up=False)))
    assert "Clients that come back (not told to the peer)" in away
