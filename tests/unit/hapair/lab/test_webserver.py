"""The web server of the lab."""

import trio

from hapair.lab.bulk import piece
from hapair.lab.webserver import _converse, response

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 29\r\n"
    b"X-Server: web1\r\nX-Node: 192.0.2.11\r\n\r\nweb1 was asked by 192.0.2.11\n"
)


def test_an_answer_names_the_server_and_who_asked() -> None:
    assert response("web1", "192.0.2.11") == ANSWER


async def test_requests_on_one_connection_until_one_says_close() -> None:
    client, server = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_converse, server, "web1", "192.0.2.11")
        await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n")
        await client.send_all(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert [await client.receive_some(), await client.receive_some()] == [ANSWER, ANSWER]
        await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert await client.receive_some() == ANSWER


async def test_a_bulk_path_gives_its_pieces(autojump_clock: trio.testing.MockClock) -> None:
    client, server = trio.testing.memory_stream_pair()
    received = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_converse, server, "web1", "192.0.2.11")
        await client.send_all(b"GET /bulk/d7/3/200 HTTP/1.1\r\nHost: a\r\n\r\n")
        began_at = trio.current_time()
        while len(received.partition(b"\r\n\r\n")[2]) < 3072:
            received += await client.receive_some()
        assert trio.current_time() - began_at == 0.4
        nursery.cancel_scope.cancel()
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"Content-Length: 3072" in head
    assert body == piece("d7", 0) + piece("d7", 1) + piece("d7", 2)
