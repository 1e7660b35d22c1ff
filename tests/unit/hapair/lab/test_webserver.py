"""The web server of the lab."""

import trio

from hapair.lab.webserver import _converse, response


def test_an_answer_names_the_server_and_who_asked() -> None:
    assert response("web1", "192.0.2.11") == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 29\r\n"
        b"X-Server: web1\r\nX-Node: 192.0.2.11\r\n\r\nweb1 was asked by 192.0.2.11\n"
    )


async def test_requests_on_one_connection_until_one_says_close() -> None:
    client, server = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_converse, server, b"answer;")
        await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n")
        await client.send_all(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await client.receive_some() == b"answer;answer;"
        await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert await client.receive_some() == b"answer;"
