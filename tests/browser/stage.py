"""The admin server of a node that is played: real page, logins, actions, events; traffic and peer are made up.

    python -m tests.browser.stage PORT [--servers 200] [--users] [--past 3600] [--certificate PEM]

`/stage?do=peer-dead` and its kind change what is played: see `Stage.plays`. Users are `anna`, an admin, and `vera`, a
viewer, both with the password `secret`.
"""

import argparse
import math
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import trio

from balancer.checks.runner import CheckRunner, ServerHealth
from balancer.config import CertificateFiles, Check, FrontendTls, Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.latencies import BUCKETS, bucket_of
from balancer.serverstate import ServerState
from balancer.slots import Counts
from hapair.admin.passwords import make
from hapair.admin.router import Request, Response, Route, text
from hapair.config.admin import AdminSection, AdminUser
from hapair.events.event import Happening, Severity, event_of
from hapair.events.feed import EventFeed
from hapair.events.pair import PairEvents
from hapair.node_admin import NodeAdmin, open_admin
from hapair.snapshot import (
    CertificateView,
    FenceView,
    FrontendView,
    LinkView,
    MaintenanceView,
    NodeSnapshot,
    PeerView,
    PoolView,
    ProcessView,
    RouterView,
    ServerView,
)
from tests.unit.hapair.admin.sample import NODE, NOTHING


class Stage:
    """A node pi-a whose peer is pi-b."""

    def __init__(self, servers: int, past_s: int) -> None:
        names = {"web": min(servers, 6), "api": min(max(0, servers - 6), 3), "shop": max(0, servers - 9)}
        self.pools = {
            pool: Pool(
                check=Check(initial="fully_up"),
                servers={
                    f"{pool}{number}": Server(
                        address=Endpoint(f"192.168.{20 + number // 200}.{number % 200 + 1}", 8080)
                    )
                    for number in range(1, count + 1)
                },
            )
            for pool, count in names.items()
            if count
        }
        self.now = trio.current_time() - past_s
        self.feed = EventFeed("pi-a", wall=lambda: time.time() + self.now - trio.current_time(), clock=lambda: self.now)
        theirs = EventFeed("pi-b", wall=time.time, clock=lambda: self.now, bell=self.feed.bell)
        self.events = PairEvents(self.feed, theirs)
        self.runner = CheckRunner(self.pools, self._changed)
        self.began_at = self.now
        self.active = True
        self.since = self.now
        self.peer_up = True
        self.peer_since = self.now
        self.warnings: tuple[str, ...] = ()
        self.maintenance: MaintenanceView | None = None

    def _changed(self, pool: str, server: str, before: ServerState, after: ServerState) -> None:
        name = f"{pool}/{server}"
        words = f"{name} is {after.text if before.admin == after.admin else after.admin.upper()}"
        severity: Severity = "info" if after.up else "error"
        self.feed.record(Happening(kind="server", subject=name, words=words, severity=severity))

    def plays(self, what: str) -> None:
        """peer-dead, peer-back, standby, active, web1-down, web1-up, warn, quiet; told, told-late: by the peer."""
        match what:
            case "peer-dead" | "peer-back":
                self.peer_up, self.peer_since = what == "peer-back", self.now
                words = "the peer is back" if self.peer_up else "the liveness link to pi-b is lost: pi-b died"
                self.feed.record(
                    Happening(kind="peer", subject="pi-b", words=words, severity="info" if self.peer_up else "warning")
                )
            case "standby" | "active":
                self.active, self.since = what == "active", self.now
                self.feed.record(Happening(kind="role", subject="pi-a", words=f"pi-a is {self.role}", reason="played"))
            case "web1-down":
                self.runner.force_health("web", "web1", "down", by="the stage: connection refused")
            case "web1-up":
                self.runner.force_health("web", "web1", "up", by="the stage")
            case "told" | "told-late":
                at = time.time() - (60 if what == "told-late" else 0)
                role = Happening(kind="role", subject="pi-b", words=f"pi-b was {what}")
                self.events.theirs.hear(event_of(role, id=1, at=at, node="pi-b"))
            case "warn":
                self.warnings = ("the fence was flushed <b>twice</b>", *self.warnings)
            case "quiet":
                self.warnings = ()
            case _:
                raise ValueError(what)

    @property
    def role(self) -> str:
        return "ACTIVE" if self.active else "STANDBY"

    def look(self) -> NodeSnapshot:
        age = self.now - self.began_at
        healths = self.runner.snapshot()
        pools = tuple(
            PoolView(
                name=pool,
                policy="least_connections",
                servers=tuple(
                    self._server(pool, name, number, health, age) for number, (name, health) in enumerate(found.items())
                ),
            )
            for pool, found in healths.items()
        )
        warnings = list(self.warnings)
        if not self.peer_up:
            warnings.append(
                "lan Active here, and nothing is heard of pi-b: it is dead, or Active too (split brain): "
                "ask it, `hapair status` on pi-b (192.168.1.12); where both are, "
                "`hapair maintenance on --force` on one of them takes its VIPs off"
            )
        for pool in pools:
            if down := ", ".join(f"{one.name} ({one.reason})" for one in pool.servers if not one.up):
                warnings.append(f"pool {pool.name}: DOWN: {down}")
        return NodeSnapshot(
            version=1,
            hapair="0.1.0",
            node="pi-a",
            role=self.role,
            uptime_s=age + 7400,
            config="/etc/hapair/hapair.yaml",
            routers=(self._router(),),
            frontends=self._frontends(age),
            pools=pools,
            processes=(
                ProcessView(name="announcer", pid=811, state="running"),
                ProcessView(name="worker 0", pid=812, state="serving"),
                ProcessView(name="worker 1", pid=813, state="serving"),
            ),
            link=LinkView(
                peer="pi-b",
                peer_address="192.168.1.12",
                up=self.peer_up,
                since_s=self.now - self.peer_since + 60,
                lost=0 if self.peer_up else 1,
                last_cause=None,
                last_detail=None,
                waiting_for=None if self.peer_up else "an answer from pi-b",
                rejected={},
                round_trip_ms=0.4 if self.peer_up else None,
            ),
            fence=FenceView(obstacle=None, restored=0),
            certificates=(
                CertificateView(
                    owner="frontend shop",
                    source="shop.pem",
                    names=("shop.example.org",),
                    key="EC",
                    expires_in_s=40 * 86_400.0 - age,
                    trouble=None,
                ),
            ),
            restarts=0,
            warnings=tuple(warnings),
            ready=True,
            pid=800,
            peer=self._peer(pools),
            maintenance=self.maintenance,
        )

    def _peer(self, pools: tuple[PoolView, ...]) -> PeerView:
        router = replace(self._router(), state="Backup" if self.active else "Active", priority=100, reason="adverts")
        role = "STANDBY" if self.active else "ACTIVE"
        there = replace(
            NODE,
            node="pi-b",
            role=role,
            routers=(router,),
            pools=pools,
            warnings=(),
            uptime_s=self.now - self.began_at + 900,
        )
        down_s = self.now - self.peer_since
        return PeerView(
            name="pi-b",
            address="192.168.1.12",
            up=self.peer_up,
            since_s=down_s,
            waits_for=None if self.peer_up else "an answer",
            age_s=0.4 if self.peer_up else down_s,
            snapshot=there,
        )

    def _router(self) -> RouterView:
        return RouterView(
            name="lan",
            vrid=51,
            interface="eth0",
            version=3,
            group=None,
            stays_backup=False,
            tracked=(),
            adverts_unsigned=0,
            state="Active" if self.active else "Backup",
            since_s=self.now - self.since + 30,
            reason="Active_Down_Interval passed" if self.active else "pi-b has the higher priority",
            waiting_for=None,
            priority=200,
            configured_priority=200,
            vips=("192.168.1.100/24", "192.168.1.101/24"),
            vips_held=("192.168.1.100/24", "192.168.1.101/24") if self.active else (),
            lease_s=1,
            lease_age_s=0.1,
            active_router=None if self.active else "192.168.1.12",
            transitions=2,
            adverts_sent=9,
            adverts_received=1,
            adverts_rejected={},
            unusual_checksums=0,
            vips_restored=0,
            lateness_max_ms=0.5,
        )

    def _frontends(self, age: float) -> tuple[FrontendView, ...]:
        def counts(scale: float, phase: float) -> Counts:
            # The integral of a rate that goes up and down in 20 minutes, with a burst of errors now and then.
            done = scale * (age - math.cos(age / 190 + phase) * 95 + 0.8 * math.sin(age / 3 + phase))
            done = max(0.0, done + 120 * scale)
            bad = int(done * 0.0005 + 40 * max(0.0, math.sin(age / 300 + phase)) ** 30 * 30)
            return replace(
                NOTHING,
                open=int(scale * (1.2 + math.sin(age / 60))) + 2,
                connections=int(done / 4),
                requests=int(done),
                bytes_in=int(done * 620),
                bytes_out=int(done * 9_800),
                status_2xx=int(done),
                status_4xx=int(done * 0.01),
                status_5xx=bad,
            )

        def latencies(done: int) -> tuple[int, ...]:
            found = [0] * BUCKETS
            wave = 1 + 0.4 * math.sin(age / 200)
            for share, latency_s in ((0.5, 0.004), (0.4, 0.009), (0.08, 0.03), (0.02, 0.22)):
                found[bucket_of(latency_s)] += int(done * share / 2)
                found[bucket_of(latency_s * wave)] += int(done * share / 2)
            return tuple(found)

        web, shop = counts(40, 0.0), counts(13, 1.7)
        return (
            FrontendView(
                name="web",
                mode="http",
                listen=("192.168.1.100:80",),
                active=self.active,
                counts=web,
                causes={"no_server": 3, "client_too_slow": 12},
                max_connections=9000,
                latencies=latencies(web.requests),
            ),
            FrontendView(
                name="shop",
                mode="http",
                listen=("192.168.1.100:443", "192.168.1.101:443"),
                active=self.active,
                counts=shop,
                max_connections=9000,
                latencies=latencies(shop.requests),
            ),
            FrontendView(
                name="dns",
                mode="udp",
                listen=("192.168.1.100:53",),
                active=self.active,
                plane="kernel",
                counts=replace(
                    NOTHING,
                    connections=int(age * 7),
                    bytes_in=int(age * 500),
                    bytes_out=int(age * 900),
                    datagrams_in=int(age * 7),
                ),
                max_connections=9000,
            ),
        )

    def _server(self, pool: str, name: str, number: int, health: ServerHealth, age: float) -> ServerView:
        done = int(age * (6 + number % 5) + 3 * math.sin(age + number)) + 10
        counts = replace(
            NOTHING,
            open=int(2 + 2 * math.sin(age / 7 + number)),
            requests=done,
            connections=done // 9,
            latency_us=done * (4000 + 400 * (number % 7)),
            connect_us=done * 60,
            total_us=done * 5000,
        )
        weight = 1 if health.weight is None else health.weight
        return ServerView(
            name=name,
            address=str(self.pools[pool].servers[name].address),
            weight=weight,
            full_weight=weight,
            backup=number == 5,
            health=health.text,
            up=health.up,
            reason=health.flip_reason,
            since_s=None if health.flipped_at is None else max(0.0, self.now - health.flipped_at),
            counts=counts,
            admin=health.admin,
            last_check="200 OK" if health.up else "connection refused",
            last_check_code="L7OK",
            last_check_ms=1.5,
            rise=2,
            fall=3,
            health_count=health.count,
            downs=health.downs,
        )


async def handover(stage: Stage, request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
    yield {"news": "pi-b is asked to take over"}
    stage.plays("standby")
    yield {"ok": True, "words": "pi-b is Active; 3 connections live on", "flows": 3, "took_s": 0.01}


async def takeover(stage: Stage, request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
    yield {"news": "asking pi-b to hand over"}
    stage.plays("active")
    yield {"ok": True, "words": "pi-a is Active; 2 connections live on"}


async def maintenance(stage: Stage, request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
    if request["on"] and not stage.peer_up and not request.get("force"):
        yield {"ok": False, "words": "pi-a goes on: nobody takes over; with --force it goes all the same"}
        return
    if request["on"] and stage.active:
        stage.plays("standby")
    stage.maintenance = MaintenanceView(by="anna from 127.0.0.1", since=time.time()) if request["on"] else None
    yield {"ok": True, "words": f"pi-a is {'in maintenance' if request['on'] else 'back'}"}


STORIES = {"handover": handover, "takeover": takeover, "maintenance": maintenance}


def users() -> dict[str, AdminUser]:
    hashed = str(make("secret", log2_n=10))
    return {"anna": AdminUser(password=hashed), "vera": AdminUser(password=hashed, level="viewer")}


async def main(port: int, servers: int, past_s: int, with_users: bool, certificate: str | None) -> None:
    stage = Stage(servers, past_s)
    tls = None if certificate is None else FrontendTls(certificates=(CertificateFiles(certificate=certificate),))
    section = AdminSection(listen=(Endpoint("127.0.0.1", port),), users=users() if with_users else {}, tls=tls)
    listeners = open_admin(section)

    def look() -> NodeSnapshot:
        stage.now = trio.current_time()
        return stage.look()

    pair = {name: partial(story, stage) for name, story in STORIES.items()}
    admin = NodeAdmin(look, stage.runner, section, listeners, events=stage.events, pair=pair)
    for second in range(past_s):  # an hour in a moment
        stage.now = stage.began_at + second
        if second in (past_s // 3, past_s // 3 + 90):
            stage.plays("web1-down" if second == past_s // 3 else "web1-up")
        node = stage.look()
        admin.rates.sample(node, stage.now)
        admin.live.tick(node, stage.now)

    async def play(request: Request) -> Response:
        stage.plays(request.options.removeprefix("?do="))
        admin.look()
        return text(200, "played\n")

    await admin.run([Route(path="/stage", handler=play, level=None)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--servers", type=int, default=9)
    parser.add_argument("--past", type=int, default=0)
    parser.add_argument("--users", action="store_true")
    parser.add_argument("--certificate")
    options = parser.parse_args()
    trio.run(main, options.port, options.servers, options.past, options.users, options.certificate)
