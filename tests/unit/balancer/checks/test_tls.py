"""What a check takes over of its pool's TLS, and what it says itself: against a server on a real socket."""

import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import trio

from balancer.checks.probes import ProbeResult, probe
from balancer.checks.tls import CheckSecrecy, secrecy_of
from balancer.config import Check, Pool, PoolTls, Server
from balancer.config_checks import CheckTls
from balancer.fieldtypes import Endpoint
from balancer.tls.material import PoolMaterial

Serving = Callable[..., Awaitable[Endpoint]]
NAMED = PoolTls(ca="ca.pem", server_name="www.example.org")
UNVERIFIED = PoolTls(verify=False)


@pytest.fixture
def serving(nursery: trio.Nursery, authority: Any, issued: Any) -> Serving:
    """A server that says OK to whoever speaks TLS."""

    async def serve(*, asks: bool = False) -> Endpoint:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.both)
        if asks:
            context.load_verify_locations(cadata=authority.pem.decode())
            context.verify_mode = ssl.CERT_REQUIRED

        async def handle(stream: trio.SocketStream) -> None:
            secured = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
            try:
                await secured.receive_some(65536)
                await secured.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            except trio.BrokenResourceError:
                pass  # it does not trust us
            await stream.aclose()

        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        return Endpoint("127.0.0.1", listeners[0].socket.getsockname()[1])

    return serve


async def seen(pool: Pool, material: PoolMaterial | None) -> ProbeResult:
    """One probe as the node makes it."""
    check = pool.check
    assert check is not None
    endpoint = pool.servers["a"].check_address or pool.servers["a"].address
    return await probe(check, endpoint, secrecy=partial(CheckSecrecy().of, "pool", pool, "a", material))


@pytest.mark.parametrize(
    ("tls", "check", "reason"),
    [
        (NAMED, {}, "TLSv1.3"),
        (NAMED, {"http": "GET /"}, "HTTP 200"),
        (NAMED, {"http": "GET /", "tls": CheckTls()}, "HTTP 200"),
        (NAMED, {"tls": CheckTls(name="a.example.net")}, "TLSv1.3"),
        (PoolTls(ca="ca.pem"), {}, "TLSv1.3"),
        (PoolTls(ca="ca.pem"), {"tls": CheckTls(), "host": "www.example.org:443", "http": "GET /"}, "HTTP 200"),
        (UNVERIFIED, {}, "TLSv1.3"),
        (UNVERIFIED, {"tls": CheckTls(name="any.test")}, "TLSv1.3"),
        (PoolTls(ca="ca.pem", server_name="no.test"), {"tls": CheckTls(verify=False)}, "TLSv1.3"),
        (None, {"tls": CheckTls(verify=False)}, "TLSv1.3"),
        (NAMED, {"plain": True}, "connected"),
        (None, {}, "connected"),
    ],
)
async def test_what_passes(
    serving: Serving, authority: Any, tls: PoolTls | None, check: dict[str, Any], reason: str
) -> None:
    pool = Pool(servers={"a": Server(address=await serving())}, tls=tls, check=Check(**check))
    material = None if tls is None else PoolMaterial(ca=authority.pem)
    result = await seen(pool, material)
    assert (result.ok, result.reason) == (True, reason)


@pytest.mark.parametrize(
    ("tls", "check", "reason"),
    [
        (PoolTls(ca="ca.pem", server_name="no.test"), {}, "TLS: Hostname mismatch"),
        (NAMED, {"tls": CheckTls(name="no.test")}, "TLS: Hostname mismatch"),
        (UNVERIFIED, {"tls": CheckTls(verify=True)}, "TLS: unable to get local issuer certificate"),
        (PoolTls(), {}, "TLS: unable to get local issuer certificate"),
        (None, {"tls": CheckTls()}, "TLS: unable to get local issuer certificate"),
        (NAMED, {"tls": CheckTls(ca_file="/nowhere/ca.pem")}, "no such file or directory"),
    ],
)
async def test_what_does_not(
    serving: Serving, authority: Any, tls: PoolTls | None, check: dict[str, Any], reason: str
) -> None:
    pool = Pool(servers={"a": Server(address=await serving())}, tls=tls, check=Check(**check))
    material = PoolMaterial(ca=authority.pem) if tls is not None and tls.ca is not None else PoolMaterial()
    result = await seen(pool, material)
    assert (result.ok, result.reason.startswith(reason)) == (False, True), result


async def test_authorities_of_the_checks_own(serving: Serving, authority: Any) -> None:
    tls = CheckTls(ca_file=str(authority.itself.certificate))
    pool = Pool(servers={"a": Server(address=await serving())}, tls=PoolTls(), check=Check(tls=tls))
    assert (await seen(pool, PoolMaterial())).ok


async def test_a_server_that_asks_is_shown_what_the_pool_shows(serving: Serving, authority: Any) -> None:
    ours = authority.issue(subject="/CN=balancer")
    pool = Pool(servers={"a": Server(address=await serving(asks=True))}, tls=NAMED, check=Check(http="GET /"))
    assert (await seen(pool, PoolMaterial(ca=authority.pem, pem=ours.pem))).ok
    assert not (await seen(pool, PoolMaterial(ca=authority.pem))).ok


@pytest.mark.parametrize("own", ["port", "check_address"])
async def test_another_place_takes_nothing_over(serving: Serving, own: str) -> None:
    endpoint = await serving()
    server = Server(address=Endpoint("127.0.0.1", 1), check_address=endpoint if own == "check_address" else None)
    check = Check(port=endpoint.port if own == "port" else None)
    result = await seen(Pool(servers={"a": server}, tls=NAMED, check=check), PoolMaterial())
    assert (result.ok, result.reason) == (True, "connected")


def test_a_context_is_made_once_and_again_when_something_changes(authority: Any) -> None:
    secrecy = CheckSecrecy()
    pool = Pool(servers={"a": Server(address=Endpoint("127.0.0.1", 1))}, tls=NAMED, check=Check())
    material = PoolMaterial(ca=authority.pem)
    first = secrecy.of("pool", pool, "a", material)
    assert first is not None
    assert secrecy.of("pool", pool, "a", PoolMaterial(ca=authority.pem)) is first
    assert secrecy.of("pool", pool, "a", PoolMaterial(ca=authority.pem + authority.pem)) is not first


@pytest.mark.parametrize("check", [Check(udp=None, dns="a. A"), Check(script=("/bin/true",)), Check(mysql="handshake")])
def test_what_is_never_spoken_over_tls(check: Check) -> None:
    pool = Pool(servers={"a": Server(address=Endpoint("127.0.0.1", 1))}, tls=PoolTls(), check=check)
    assert CheckSecrecy().of("pool", pool, "a", PoolMaterial()) is None
    assert secrecy_of(check) is None


def test_grpc_is_spoken_by_http2(authority: Any) -> None:
    pool = Pool(servers={"a": Server(address=Endpoint("127.0.0.1", 1))}, tls=NAMED, check=Check(grpc="health"))
    made = CheckSecrecy().of("pool", pool, "a", PoolMaterial(ca=authority.pem))
    assert made is not None
    assert made.name_for(Endpoint("127.0.0.1", 1)) == "www.example.org"
    assert _hello(made.context).find(b"\x02h2") > 0


def _hello(context: ssl.SSLContext) -> bytes:
    outgoing = ssl.MemoryBIO()
    session = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="www.example.org")
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()
