"""One request and its response: interim responses, retries, servers that fail, switching protocols."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from balancer.config import PoolTimeouts
from balancer.fieldtypes import Endpoint
from balancer.policies import Request

if TYPE_CHECKING:
    from tests.unit.balancer.relay.conftest import HttpRig, RigMaker

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PUT_CONTINUE = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
CLIENT = (
    b"X-Forwarded-Host: a\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 12345\r\n"
    b"Forwarded: for=127.0.0.1;proto=http\r\n"
)


def listening_at(endpoint: Endpoint) -> socket.socket:
    """A server that is back."""
    listening = socket.create_server((endpoint.host, endpoint.port))
    listening.setblocking(False)
    return listening


def refusal(status: bytes, why: bytes) -> bytes:
    text = status + b": " + why + b"\n"
    return (
        b"HTTP/1.1 " + status + b"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "
        + b"%d" % len(text) + b"\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n" + text
    )  # fmt: skip


UNREACHED = refusal(b"503 Service Unavailable", b"no server could be reached")
UNANSWERED = refusal(b"502 Bad Gateway", b"the server closed the connection without a response")
LATE = refusal(b"504 Gateway Timeout", b"the server did not answer in time")


def test_no_usable_server(rig: HttpRig) -> None:
    rig.service.pools["pool"].state.set_health("one", False)
    client = rig.client(GET)
    assert client.read() == refusal(b"503 Service Unavailable", b"no server is available")
    assert client.ended
    assert rig.frontend_counts.failed == 1


def test_servers_that_refuse_connections(make_rig: RigMaker) -> None:
    rig = make_rig(servers=2)
    for peer in rig.peers:
        peer.close()
    client = rig.client(POST)
    assert (rig.server_counts("one").failed, rig.server_counts("two").failed) == (1, 1)
    assert client.read() == b""
    rig.pass_time(1.1)  # before one of them is tried again
    assert client.read() == UNREACHED
    assert (rig.server_counts("one").failed, rig.server_counts("two").failed) == (2, 1)


def test_the_only_server_is_tried_again_after_a_rest(rig: HttpRig) -> None:
    called = rig.peers[0]
    called.socket.close()
    client = rig.client(POST)
    rig.pass_time(0.9)
    assert rig.server_counts().failed == 1
    rig.pass_time(0.2)
    assert (rig.server_counts().failed, client.read()) == (2, b"")
    called.socket = listening_at(called.endpoint)
    rig.pass_time(1.1)
    server = rig.server()
    assert server.read().endswith(b"\r\n\r\nhi")
    server.send(OK)
    assert client.read() == OK
    assert (rig.server_counts().failed, rig.server_counts().retries) == (2, 2)


def test_it_is_not_where_it_went_down_meanwhile(rig: HttpRig) -> None:
    rig.peers[0].close()
    client = rig.client(GET)
    rig.service.pools["pool"].state.set_health("one", up=False)
    rig.pass_time(1.1)
    assert client.read() == UNREACHED
    assert rig.server_counts().failed == 1


def test_nor_where_another_is_full_for_then_it_waits_for_that(make_rig: RigMaker) -> None:
    rig = make_rig(servers=2, each_server={"max_connections": 1})
    rig.peers[0].close()
    busy = rig.client(GET)
    first = rig.server(1)
    client = rig.client(GET)
    assert rig.slots.queue_counts("pool").waiting == 1
    first.send(OK)
    assert busy.read() == OK
    rig.server(1).send(OK)
    assert client.read() == OK


def test_the_only_one_of_those_that_can_be_full_is_tried_again(make_rig: RigMaker) -> None:
    rig = make_rig(each_server={"max_connections": 1}, in_pool={"retries": 1})
    rig.peers[0].close()
    client = rig.client(GET)
    assert client.read() == b""
    assert rig.server_counts().open == 0
    rig.pass_time(1.1)
    assert client.read() == UNREACHED
    assert rig.server_counts().failed == 2


def test_another_server_is_tried_when_one_refuses_connections(make_rig: RigMaker) -> None:
    rig = make_rig(servers=2)
    rig.peers[0].close()
    client = rig.client(POST)
    server = rig.server(1)
    assert server.read().endswith(b"\r\n\r\nhi")
    server.send(OK)
    assert client.read() == OK
    assert rig.server_counts("two").retries == 1


def test_as_often_as_the_pool_allows(make_rig: RigMaker) -> None:
    rig = make_rig(servers=3, in_pool={"retries": 1})
    rig.peers[0].close()
    rig.peers[1].close()
    client = rig.client(GET)
    assert client.read() == UNREACHED
    assert not rig.was_called(2)


@pytest.mark.parametrize("request_", [GET, POST], ids=["get", "post"])
def test_a_new_connection_that_dies_without_a_response(rig: HttpRig, request_: bytes) -> None:
    client = rig.client(request_)
    rig.server().close()
    assert client.read() == UNANSWERED
    assert client.ended
    assert not rig.was_called()
    assert rig.server_counts().bad_responses == 1


def test_an_idempotent_request_is_sent_again_when_a_kept_connection_dies(rig: HttpRig) -> None:
    client = rig.client(GET)
    first = rig.server()
    first.send(OK)
    assert client.read() == OK
    client.send(GET)
    first.close()  # with the request unread: a reset
    second = rig.server()
    second.send(OK)
    assert client.read() == OK
    assert rig.server_counts().retries == 1


def test_but_only_once(rig: HttpRig) -> None:
    client = rig.client(GET)
    first = rig.server()
    first.send(OK)
    assert client.read() == OK
    client.send(GET)
    first.close()
    rig.server().close()
    assert client.read() == UNANSWERED
    assert not rig.was_called()


def test_and_on_a_new_connection(rig: HttpRig) -> None:
    one, two = rig.client(GET), rig.client(GET)
    first, second = rig.server(), rig.server()
    first.send(OK)
    second.send(OK)
    assert (one.read(), two.read()) == (OK, OK)
    one.send(GET)
    second.read()
    second.close()
    third = rig.server()
    third.send(OK)
    assert one.read() == OK


def test_a_request_that_is_not_idempotent_is_not_sent_again(rig: HttpRig) -> None:
    client = rig.client(GET)
    first = rig.server()
    first.send(OK)
    assert client.read() == OK
    client.send(POST)
    first.close()
    assert client.read() == UNANSWERED
    assert not rig.was_called()


def test_a_request_is_not_sent_again_after_a_byte_of_a_response(rig: HttpRig) -> None:
    client = rig.client(GET)
    first = rig.server()
    first.send(OK)
    assert client.read() == OK
    client.send(GET)
    first.read()
    first.send(b"HTTP/1.1 2")
    first.close()
    assert client.read() == UNANSWERED
    assert not rig.was_called()


def test_a_request_whose_body_is_not_in_hand_is_not_sent_again(rig: HttpRig) -> None:
    client = rig.client(GET)
    first = rig.server()
    first.send(OK)
    assert client.read() == OK
    client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nhi")
    client.send(b"ho")
    assert first.read().endswith(b"hiho")
    first.close()
    assert client.read() == UNANSWERED
    assert not rig.was_called()


def test_the_server_s_silence(make_rig: RigMaker) -> None:
    rig = make_rig(in_pool={"timeouts": PoolTimeouts(response_s=60.0)})
    client = rig.client(GET)
    server = rig.server()
    rig.pass_time(59.0)
    assert client.read() == b""
    rig.pass_time(1.1)
    assert client.read() == LATE
    server.read()
    assert server.ended
    assert rig.server_counts().timeouts == 1


def test_the_time_to_respond_begins_when_the_request_is_complete(make_rig: RigMaker) -> None:
    rig = make_rig(in_pool={"timeouts": PoolTimeouts(response_s=60.0)})
    client = rig.client(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
    rig.server()
    rig.pass_time(50.0)
    client.send(b"hi")
    rig.pass_time(59.0)
    assert client.read() == b""
    rig.pass_time(1.2)
    assert client.read() == LATE


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"SSH-2.0-x\r\n", b"malformed status line"),
        (b"HTTP/1.1 200 OK\n\n", b"line not ended by CR LF"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", b"Content-Length values differ"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"malformed Content-Length"),
        (b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", b"header line begins with white space"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", b"malformed chunk size"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", b"protocol switched without being asked"),
    ],
    ids=["ssh", "bare-lf", "lengths", "negative", "fold", "chunk", "101"],
)
def test_an_invalid_response(rig: HttpRig, data: bytes, why: bytes) -> None:
    client = rig.client(GET)
    server = rig.server()
    server.send(data)
    assert client.read() == refusal(b"502 Bad Gateway", b"the server sent an invalid response: " + why)
    assert client.ended
    server.read()
    assert server.ended
    assert rig.server_counts().bad_responses == 1


def test_a_response_head_that_breaks_off(rig: HttpRig) -> None:
    client = rig.client(GET)
    server = rig.server()
    server.send(b"HTTP/1.1 200 OK\r\nX: ")
    server.close()
    assert client.read() == UNANSWERED


def test_a_response_in_single_bytes(rig: HttpRig) -> None:
    client = rig.client(GET)
    server = rig.server()
    for byte in OK:
        server.send(bytes((byte,)))
    assert client.read() == OK
    client.send(GET)
    assert server.read() != b""


def test_100_continue(rig: HttpRig) -> None:
    client = rig.client(PUT_CONTINUE)
    server = rig.server()
    head = PUT_CONTINUE[:-2] + CLIENT + b"Via: 1.1 hapair\r\n\r\n"
    assert server.read() == head
    assert client.read() == b""
    server.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert client.read() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"hi")
    assert server.read() == b"hi"
    server.send(OK)
    assert client.read() == OK
    client.send(GET)
    assert server.read() != b""


def test_100_continue_that_is_refused(rig: HttpRig) -> None:
    client = rig.client(PUT_CONTINUE)
    server = rig.server()
    server.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    assert client.read() == b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    assert client.ended
    server.read()
    assert server.ended


def test_early_hints(rig: HttpRig) -> None:
    client = rig.client(GET)
    server = rig.server()
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    server.send(hints + hints + OK)
    assert client.read() == hints + hints + OK
    client.send(GET)
    assert server.read() != b""


def test_interim_responses_are_not_for_http_1_0(rig: HttpRig) -> None:
    client = rig.client(b"GET / HTTP/1.0\r\n\r\n")
    rig.server().send(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK)
    assert client.read() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def test_an_interim_response_is_a_response(rig: HttpRig) -> None:
    client = rig.client(GET)
    first = rig.server()
    first.send(OK)
    assert client.read() == OK
    client.send(GET)
    first.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    first.close()
    assert client.read() == b"HTTP/1.1 103 Early Hints\r\n\r\n" + UNANSWERED
    assert not rig.was_called()


def test_servers_take_turns(make_rig: RigMaker) -> None:
    rig = make_rig(servers=2)
    client = rig.client(GET)
    for number in (0, 1):
        server = rig.server(number)
        server.send(OK)
        assert client.read() == OK
        client.send(GET)
    assert rig.frontend_counts.status_2xx == 2
    assert (rig.server_counts("one").status_2xx, rig.server_counts("two").status_2xx) == (1, 1)


def test_a_pool_without_a_server_falls_back_on_another(make_rig: RigMaker) -> None:
    rig, spare = make_rig(servers=1), make_rig(servers=1)
    rig.service.pools["pool"].fall_back_on(spare.service.pools["pool"])
    rig.service.pools["pool"].state.set_health("one", False)

    client = rig.client(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    server = spare.server()
    assert server.read().startswith(b"GET / HTTP/1.1\r\n")
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    assert client.read().endswith(b"\r\n\r\nok")
    assert spare.server_counts().connections == 1


def test_a_pool_whose_servers_all_fail_falls_back_on_another(make_rig: RigMaker) -> None:
    rig, spare = make_rig(servers=0), make_rig(servers=1)
    rig.service.pools["pool"].fall_back_on(spare.service.pools["pool"])

    rig.client(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    assert spare.server().read().startswith(b"GET / HTTP/1.1\r\n")
    assert (rig.server_counts().failed, spare.server_counts().connections) == (1, 1)


def test_a_hash_reads_the_request_also_when_it_tries_another_server(make_rig: RigMaker) -> None:
    rig = make_rig(servers=3, in_pool={"policy": "uri_hash"})
    first = rig.service.pools["pool"].choose((), Request("", b"/a"))
    number = {"one": 0, "two": 1, "three": 2}[str(first)]

    rig.client(b"GET /a?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    rig.client(b"GET /a?x=2 HTTP/1.1\r\nHost: y\r\n\r\n")

    assert rig.server(number).read().startswith(b"GET /a?x=1 HTTP/1.1\r\n")
    assert rig.server(number).read().startswith(b"GET /a?x=2 HTTP/1.1\r\n")
