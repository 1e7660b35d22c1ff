"""Every message arrives as it was sent; both ends know the same ones."""

from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

import pytest

from balancer.clients import Session
from balancer.config import (
    Acme,
    BalancerConfig,
    Check,
    ClientLimits,
    Compression,
    CookieSettings,
    Frontend,
    FrontendTimeouts,
    HeaderRules,
    Hsts,
    HttpLimits,
    KeepAlive,
    ListenTcp,
    Maintenance,
    PersistenceSettings,
    Pool,
    PoolTimeouts,
    RequestId,
    RequestLimit,
    Route,
    Server,
    ServerTcp,
    SourceSettings,
    UdpSettings,
    UnixFile,
)
from balancer.config_checks import AgentCheck, CheckStep, CheckTls
from balancer.config_headers import RewritePath
from balancer.config_pools import HashSettings
from balancer.config_routes import Conditions, Redirect
from balancer.evidence import Evidence
from balancer.fieldtypes import Endpoint
from balancer.persistence.table import Entry
from balancer.standing import Place, Standing
from balancer.tls.material import Bundle, FrontendMaterial, Material, PoolMaterial
from hapair import messages
from hapair.messages import (
    FROM_ANNOUNCER,
    FROM_FLOWS,
    FROM_WORKER,
    TO_ANNOUNCER,
    TO_FLOWS,
    TO_WORKER,
    ActiveFrontends,
    Announce,
    CookieCounts,
    Drain,
    FlowsReport,
    ForgetSources,
    FromPeer,
    FrontendRole,
    Heartbeat,
    Hold,
    KernelFrontend,
    LogsReopened,
    LowerPriority,
    Obeyed,
    Order,
    Preempt,
    Reload,
    Reloaded,
    ReloadRouters,
    Renew,
    Resign,
    Resume,
    RouterReport,
    Serve,
    ServerErrors,
    ServerStanding,
    Serving,
    Sources,
    StartFlows,
    StartRouters,
    Stop,
    Tell,
    ToPeer,
    Track,
)
from hapair.wire import decode, encode
from vrrp.config import VirtualRouterConfig
from vrrp.events import HandedOver, HandOver, TakeOver
from vrrp.liveness.config import LinkConfig, LinkSnapshot
from vrrp.snapshot import FenceSnapshot, RouterSnapshot
from vrrp.tracking import InterfaceTrack, Tracked

EVIDENCE = Evidence(
    kind="response", frontend="web", pool="web", server="one", client="192.0.2.9", port=1, at=0.5, number=0,
    reason="malformed status line", position=0, size=3, data=b"\xffx\n",
)  # fmt: skip

MATERIAL = Material(
    frontends={"web": FrontendMaterial(bundles=(Bundle(names=("a.example",), pem=b"\0\xff"),), client_ca=b"ca")},
    pools={"web": PoolMaterial(ca=None, pem=b"key")},
)
ROUTER = VirtualRouterConfig(
    name="lan",
    vrid=51,
    interface="eth0",
    addresses=(IPv4Interface("192.0.2.100/24"), IPv4Interface("192.0.2.101/32")),
    priority=200,
    advertisement_interval_cs=10,
    preempt=False,
    checksum="rfc9568",
)

SNAPSHOT = RouterSnapshot(
    name="lan",
    vrid=51,
    interface="eth0",
    version=3,
    group="both",
    stays_backup=True,
    adverts_unsigned=4,
    state="Active",
    priority=200,
    configured_priority=200,
    since_monotonic=12.5,
    waiting_for=None,
    vips=("192.0.2.100",),
    vips_held=("192.0.2.100/32",),
    lease_s=1,
    lease_renewed_at=13.25,
    active_router="192.0.2.11",
    transitions=2,
    adverts_sent=100,
    adverts_received=3,
    adverts_rejected={"BAD_CHECKSUM": 4},
    unusual_checksums=0,
    send_errors=0,
    vips_restored=1,
    lateness_max_ms=0.5,
    last_reason="Active_Down_Timer fired",
)

WAITING = RouterSnapshot(
    name="dmz",
    vrid=7,
    interface="eth9",
    version=2,
    group=None,
    stays_backup=False,
    adverts_unsigned=0,
    state="Initialize",
    priority=1,
    configured_priority=100,
    since_monotonic=0.0,
    waiting_for="interface eth9 to exist",
    vips=(),
    vips_held=(),
    lease_s=None,
    lease_renewed_at=None,
    active_router=None,
    transitions=0,
    adverts_sent=0,
    adverts_received=0,
    adverts_rejected={},
    unusual_checksums=0,
    send_errors=0,
    vips_restored=0,
    lateness_max_ms=0.0,
    last_reason="",
)

ROUTER_6 = VirtualRouterConfig(
    name="lan6",
    vrid=51,
    interface="eth0",
    addresses=(IPv6Interface("fe80::200:5eff:fe00:233/64"), IPv6Interface("2001:db8::100/64")),
    excluded_addresses=(IPv4Interface("192.0.2.102/24"),),
    hold_down_s=10.0,
    virtual_mac=True,
    peers=(IPv6Address("2001:db8::12"),),
    source=IPv6Address("2001:db8::11"),
    group="both",
    authentication="required",
    announce_every_s=60.0,
    witnessed=True,
    rivals=1,
)

LINK = LinkConfig(
    node="pi-a",
    peer="pi-b",
    address=IPv4Address("192.0.2.11"),
    peer_address=IPv4Address("192.0.2.12"),
    port=1339,
    secret=bytes(range(32)),
    interval_s=0.1,
)

LINK_UP = LinkSnapshot(
    up=True,
    since_monotonic=1.5,
    peer="pi-b",
    peer_address="192.0.2.12",
    lost=1,
    last_cause="died",
    last_detail="end of file",
    waiting_for=None,
    rejected={"proof": 1},
    round_trip_s=0.0002,
)

EVERY_ROUTE = Route(
    host=("a", "b"),
    method=("GET",),
    header={"X": "*"},
    query={"v": "1"},
    client=("10.0.0.0/8",),
    sni=("*.example.org",),
    unless=(Conditions(path=("/open",)),),
    redirect=Redirect(to="https://{hostname}{target}", status=301),
    rewrite_path=RewritePath(regex="a", by="b"),
    response=HeaderRules(remove_headers=("c",)),
)

BALANCER = BalancerConfig(
    frontends={
        "web": Frontend(
            listen=(Endpoint("192.0.2.100", 80), Endpoint("2001:db8::1", 80)),
            pool="web",
            routes=(Route(pool="api", host=("api.example.org",), path=("/v1/*",)), EVERY_ROUTE),
            acme=Acme(directory="/var/lib/acme"),
            maintenance=Maintenance(page="sorry.html", retry_after_s=60.0),
            request=HeaderRules(set_headers={"X": "{client}"}, remove_headers=("a", "b")),
            response=HeaderRules(add_headers={"Y": "1"}),
            request_id=RequestId(header="X-Id"),
            hsts=Hsts(max_age_s=300.0),
            error_pages={"503": "sorry.html"},
            max_connections=100,
            timeouts=FrontendTimeouts(
                header_s=5.0,
                keep_alive_s=1.5,
                idle_s=10.0,
                body_s=20.0,
                tunnel_s=3600.0,
                request_s=90.0,
                upload_rate=500.0,
                download_rate=1024.0,
                rate_window_s=5.0,
            ),
            http=HttpLimits(head_bytes=8192, header_count=50, target_bytes=1024, body_bytes=1 << 20),
            limits=ClientLimits(
                allow=("10.0.0.0/8",),
                deny=("10.6.0.0/16", "2001:db8::/32"),
                connections=50,
                connection_rate=5.0,
                connection_burst=20,
                requests=(RequestLimit(rate=0.5, burst=3, header="X-Key"), RequestLimit(rate=10.0)),
                ipv6_prefix=56,
                clients=4096,
            ),
            compression=Compression(level=6, minimum_bytes=100, types=("text/*",), at_once=3),
        ),
        "db": Frontend(
            listen=(Endpoint("::", 5432), Endpoint("/run/db.sock", 0)),
            mode="tcp",
            pool="api",
            tcp=ListenTcp(backlog=9, keep_alive=KeepAlive(), user_timeout_s=1.0, defer_accept=True, fast_open=True),
            unix=UnixFile(mode="0600", user="db", group="db"),
        ),
        "dns": Frontend(
            listen=(Endpoint("::", 53),), mode="udp", pool="api", udp=UdpSettings(idle_s=5.0, replies=1, requests=1)
        ),
    },
    pools={
        "web": Pool(
            servers={
                "web1": Server(address=Endpoint("192.0.2.21", 8080), weight=2, max_connections=10),
                "web2": Server(address=Endpoint("192.0.2.22", 8080), backup=True),
            },
            policy="least_connections",
            check=Check(http="GET /healthz", host="www.example.org", expect="200,301-302", port=81, interval_s=1.0),
            retries=0,
            timeouts=PoolTimeouts(connect_s=1.0, response_s=2.0, idle_s=3.0),
        ),
        "api": Pool(
            tcp=ServerTcp(keep_alive=KeepAlive(), user_timeout_s=2.0, fast_open=True),
            source="192.0.2.100",
            persistence=PersistenceSettings(
                cookie=CookieSettings(name="H", mode="prefix", max_idle_s=60.0),
                source=SourceSettings(size=9, expiry_s=60.0, ipv4_prefix=24),
            ),
            servers={"api1": Server(address=Endpoint("192.0.2.31", 80))},
            check=Check(tcp="connect"),
        ),
        "all": Pool(
            servers={"all1": Server(address=Endpoint("192.0.2.41", 80), check_address=Endpoint("192.0.2.42", 81))},
            policy="header_hash",
            hash=HashSettings(name="X-User", balance_percent=150),
            check=Check(
                tcp="connect",
                steps=(CheckStep(send="PING\r\n", expect="+PONG"), CheckStep(send_hex="00", expect_regex="^a")),
                tls=CheckTls(verify=False, name="www.example.org"),
                initial="fully_down",
                observe="layer7",
                on_error="mark_down",
            ),
            agent=AgentCheck(port=99, send="all1\n"),
            slow_start_s=10.0,
            use_all_backups=True,
            fallback="api",
            on_down="close",
            on_up="close_backups",
        ),
    },
    files={"sorry.html": b"\xff<p>"},
    drain_s=7.5,
)

TO = [
    (TO_ANNOUNCER, Heartbeat()),
    (TO_ANNOUNCER, StartRouters(routers=(ROUTER, ROUTER_6))),
    (TO_ANNOUNCER, StartRouters(routers=())),
    (
        TO_ANNOUNCER,
        StartRouters(
            routers=(),
            secret=b"\x00" * 31 + b"\xff",
            link=LINK,
            epoch=1_700_000_000,
            witnesses={"eth0": (IPv4Address("192.0.2.1"), IPv6Address("fe80::1")), "eth1": ()},
            tracked={"lan": (InterfaceTrack(name="wan", interface="eth1", weight=-50),)},
            stays_backup=True,
            record_to="/tmp/recording",
        ),
    ),
    (TO_ANNOUNCER, ReloadRouters(routers=(ROUTER,))),
    (
        TO_ANNOUNCER,
        ReloadRouters(
            routers=(ROUTER_6,),
            link=LINK,
            witnesses={"eth0": ()},
            tracked={"lan": (InterfaceTrack(name="wan", interface="eth1", weight=-50),)},
        ),
    ),
    (TO_ANNOUNCER, Resign("no worker serves")),
    (TO_ANNOUNCER, Track("lan", (Tracked("script x", False, "exit status 1", None),))),
    (TO_ANNOUNCER, Preempt()),
    (TO_ANNOUNCER, Hold(True)),
    (TO_ANNOUNCER, Announce()),
    (TO_ANNOUNCER, Tell(("lan", "dmz"), HandOver(1005.5))),
    (TO_ANNOUNCER, Tell(("lan",), TakeOver(1005.5, "pi-a hands over"))),
    (TO_ANNOUNCER, Tell(("lan",), HandedOver("pi-b"))),
    (TO_ANNOUNCER, ToPeer(b"\x00whatever\xff")),
    (TO_ANNOUNCER, Resume()),
    (TO_ANNOUNCER, LowerPriority(1)),
    (TO_ANNOUNCER, LowerPriority(None)),
    (TO_ANNOUNCER, Stop()),
    (FROM_ANNOUNCER, Heartbeat()),
    (FROM_ANNOUNCER, RouterReport((SNAPSHOT, WAITING))),
    (FROM_ANNOUNCER, RouterReport((), link=LINK_UP, fence=FenceSnapshot(obstacle="no nf_tables", restored=1))),
    (FROM_ANNOUNCER, FromPeer(b"")),
    (TO_WORKER, Heartbeat()),
    (
        TO_WORKER,
        Reload(
            serial=7,
            workers=2,
            config=BalancerConfig(frontends={}, pools={}),
            roles=(FrontendRole("web", True),),
            material=Material(),
            new_slots=True,
            listen=(Endpoint("192.0.2.1", 80),),
            logs=("/var/log/a",),
            datagrams=(Endpoint("192.0.2.1", 53),),
        ),
    ),
    (TO_WORKER, Renew(MATERIAL)),
    (TO_WORKER, Serve(1, 1, BALANCER, (), (), MATERIAL, cookie_key=bytes(range(32)))),
    (TO_WORKER, Serve(1, 4, BALANCER, (Endpoint("::", 5432),), (FrontendRole("web", True), FrontendRole("db", False)))),
    (TO_WORKER, Serve(0, 1, BALANCER, (), (), datagrams=(Endpoint("::", 53),))),
    (TO_WORKER, FrontendRole("web", False, lives_on=True)),
    (TO_WORKER, ServerStanding("web", "web1", Standing(up=False))),
    (TO_WORKER, ServerStanding("web", "web1", Standing(True, "drain", 7, 50, age_s=1.5))),
    (TO_WORKER, ServerStanding("web", "web2", Standing(place=Place(Endpoint("2001:db8::2", 80), 5, True)))),
    (TO_WORKER, ServerStanding("web", "web3", Standing(resolved=False))),
    (TO_WORKER, Sources("web", (Entry("192.0.2.1", "web1", 1_800_000_000_000, 1.5),))),
    (TO_WORKER, ForgetSources("web", "192.0.2.1")),
    (TO_WORKER, ForgetSources("web", None)),
    (TO_WORKER, LogsReopened(("/var/log/a",))),
    (TO_WORKER, Order(serial=1, what="list")),
    (TO_WORKER, Order(serial=2, what="end_server", pool="web", server="web1")),
    (TO_WORKER, Drain(30.0)),
    (TO_FLOWS, Heartbeat()),
    (TO_FLOWS, StartFlows(LINK, (KernelFrontend("dns", "udp", (Endpoint("192.0.2.100", 53),)),))),
    (TO_FLOWS, ActiveFrontends(("dns", "web"))),
    (FROM_FLOWS, Heartbeat()),
    (
        FROM_FLOWS,
        FlowsReport(
            up=True,
            waits_for="the peer",
            waiting=1,
            lag_s=0.25,
            told=2,
            open={"dns": 2},
            sent=3,
            received=4,
            refused={"ENOMEM": 5},
            foreign=6,
            overruns=7,
            resyncs=8,
            resync_s=0.5,
            untold=9,
            rejected={"mac": 10},
            caught_up=True,
        ),
    ),
    (FROM_WORKER, Heartbeat()),
    (FROM_WORKER, Serving()),
    (FROM_WORKER, Obeyed(1, 2)),
    (FROM_WORKER, Obeyed(1, 2, errors=(EVIDENCE,))),
    (FROM_WORKER, Obeyed(1, sessions=(Session(id=1, frontend="web", client="192.0.2.9", port=1, age_s=0.5),))),
    (FROM_WORKER, Reloaded(7)),
    (FROM_WORKER, Reloaded(8, "certificates: no")),
    (FROM_WORKER, Sources("web", ())),
    (FROM_WORKER, CookieCounts("web", {"set": 1})),
    (FROM_WORKER, ServerErrors("web", "web1", "10 errors in a row, the last: HTTP 500")),
]


@pytest.mark.parametrize(("known", "message"), TO, ids=lambda value: type(value).__name__)
def test_a_message_arrives_as_it_was_sent(known: tuple[type, ...], message: object) -> None:
    assert decode(encode(message), {kind.__name__: kind for kind in known}) == message


ALL = (TO_ANNOUNCER, FROM_ANNOUNCER, TO_WORKER, FROM_WORKER, TO_FLOWS, FROM_FLOWS)


@pytest.mark.parametrize("known", ALL)
def test_every_message_is_tried_above(known: tuple[type, ...]) -> None:
    assert {type(message) for direction, message in TO if direction is known} == set(known)


def test_every_message_goes_somewhere() -> None:
    defined = {
        value for value in vars(messages).values() if isinstance(value, type) and value.__module__ == messages.__name__
    }
    assert {kind for known in ALL for kind in known} | {KernelFrontend} == defined
