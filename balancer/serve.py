"""One worker by itself: a load balancer with one frontend and one pool, without hapair around it.

    python -m balancer.serve --listen 127.0.0.1:8080 --server 127.0.0.1:9001 --server 127.0.0.1:9002 --mode tcp
    python -m balancer.serve --listen 127.0.0.1:8443 --server 127.0.0.1:9001 --certificate example.org.pem

Benchmarks run it, and it is the shortest example of how this library is used.
"""

from __future__ import annotations

import argparse
import gc
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import trio

from balancer.config import (
    AccessLog,
    BalancerConfig,
    Compression,
    Frontend,
    Http2,
    HttpLimits,
    Mode,
    Policy,
    Pool,
    Server,
)
from balancer.config_tls import CertificateFiles, FrontendTls
from balancer.config_udp import UdpSettings
from balancer.datagrams import open_datagram_sockets
from balancer.drivers import run_with_trio_as_guest
from balancer.engine import Engine
from balancer.fieldtypes import Endpoint
from balancer.listener import open_listeners
from balancer.reactor import Reactor
from balancer.slots import Slots
from balancer.tls.material import Bundle, FrontendMaterial, Material

HEARTBEAT_S = 0.25


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then drain."""
    options = _parser().parse_args(arguments)
    serve(_config(options), _material(options), drain_s=options.drain)


def serve(config: BalancerConfig, material: Material, *, drain_s: float = 1.0) -> None:
    """Serve this configuration with one worker, in this process, until SIGTERM or SIGINT; then drain."""
    listeners = open_listeners(config.listeners())
    datagrams = {each: one for each, (one,) in open_datagram_sockets(config.datagram_listeners(), 1).items()}
    reactor = Reactor()
    engine = Engine(reactor, Slots.create(config, workers=1), 0)
    engine.apply(config, listeners, material, datagram_sockets=datagrams)
    settle_memory()
    run_with_trio_as_guest(reactor, _until_told, engine, drain_s)


def settle_memory() -> None:
    """What start-up made stays for good: collections look only at what is younger, and seldom.

    Connections are freed by reference count; a full collection with 10,000 of them open would stop traffic for 8 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def _until_told(engine: Engine, drain_s: float) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_beat, engine)
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for _ in signals:
                break
            await engine.drain(drain_s)
        nursery.cancel_scope.cancel()


async def _beat(engine: Engine) -> None:
    while True:
        engine.heartbeat()
        await trio.sleep(HEARTBEAT_S)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m balancer.serve", description=__doc__.splitlines()[0])
    parser.add_argument("--listen", type=Endpoint.parse_listen, action="append", required=True, metavar="ADDRESS:PORT")
    parser.add_argument("--server", type=Endpoint.parse, action="append", required=True, metavar="ADDRESS:PORT")
    parser.add_argument("--mode", choices=get_args(Mode), default="http")
    parser.add_argument("--http2", action="store_true", help="speak HTTP/2 too")
    parser.add_argument("--bare-lf", action="store_true", help="take heads whose lines end with LF alone")
    parser.add_argument("--policy", choices=get_args(Policy), default="round_robin")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="TLS with this certificate, chain and key")
    parser.add_argument("--access-log", choices=("httplog", "tcplog", "json"), default="off")
    parser.add_argument("--log-to", default="stdout", metavar="TARGET")
    parser.add_argument("--compress", action="append", metavar="TYPE", help="compress responses of this media type")
    parser.add_argument("--max-connections", type=int, default=9_500)
    parser.add_argument("--replies", type=int, help="mode udp: after so many for each datagram a flow ends")
    parser.add_argument("--drain", type=float, default=1.0, metavar="SECONDS")
    return parser


def _config(options: argparse.Namespace) -> BalancerConfig:
    servers = {f"server{number}": Server(address=address) for number, address in enumerate(options.server, start=1)}
    tls = None
    if options.certificate is not None:
        tls = FrontendTls(certificates=(CertificateFiles(certificate=str(options.certificate)),))
    frontend = Frontend(
        listen=tuple(options.listen),
        mode=options.mode,
        pool="pool",
        max_connections=options.max_connections,
        tls=tls,
        compression=Compression(types=tuple(options.compress)) if options.compress else None,
        http2=Http2() if options.http2 else None,
        http=HttpLimits(bare_lf=options.bare_lf),
        access_log=AccessLog(format=options.access_log, to=options.log_to),
        udp=UdpSettings(replies=options.replies),
    )
    return BalancerConfig(frontends={"main": frontend}, pools={"pool": Pool(servers=servers, policy=options.policy)})


def _material(options: argparse.Namespace) -> Material:
    if options.certificate is None:
        return Material()
    bundle = Bundle(names=(), pem=options.certificate.read_bytes())
    return Material(frontends={"main": FrontendMaterial(bundles=(bundle,))})


if __name__ == "__main__":
    main()
