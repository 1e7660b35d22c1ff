"""ClientHellos of a real library, cut and changed."""

import ssl

import pytest

from balancer.tls.clienthello import LARGEST, BadClientHello, Reason, server_name


def hello(name: str | None) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def in_records(data: bytes, size: int) -> bytes:
    """The same message in records of `size` bytes."""
    message = data[5:]
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces)


HELLO = hello("www.Example.org")


def test_the_name() -> None:
    assert server_name(HELLO) == "www.example.org"
    assert server_name(HELLO + b"more") == "www.example.org"


def test_none_is_asked_for() -> None:
    assert server_name(hello(None)) == ""


def test_a_hello_without_extensions() -> None:
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\0\2\x13\x01" + b"\1\0"
    assert (
        server_name(b"\x16\x03\x01" + (len(body) + 4).to_bytes(2, "big") + b"\1\0\0" + bytes([len(body)]) + body) == ""
    )


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_in_many_records(size: int) -> None:
    assert server_name(in_records(HELLO, size)) == "www.example.org"


def test_at_every_split() -> None:
    for data in (HELLO, in_records(HELLO, 5)):
        assert [server_name(data[:size]) for size in range(len(data))] == [None] * len(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", Reason.NOT_TLS),
        (b"\x16\x04", Reason.NOT_TLS),
        (b"\x16\x03\x01\0\0", Reason.NOT_TLS),
        (b"\x16\x03\x01\xff\xff", Reason.NOT_TLS),
        (b"\x16\x03\x01\0\x04\2", Reason.NOT_A_CLIENT_HELLO),
        (b"\x16\x03\x01\0\x04\1\xff\xff\xff", Reason.TOO_LARGE),
        (b"\x16\x03\x01\0\x04\1\0\0\0", Reason.MALFORMED),
        (b"\x16\x03\x01\0\x01\1\x17", Reason.MALFORMED),
        (in_records(b"\x16\x03\x01\0\0" + b"\1\0\x3f\0" + bytes(LARGEST), 1)[:LARGEST], Reason.TOO_LARGE),
    ],
)
def test_what_is_none(data: bytes, reason: Reason) -> None:
    with pytest.raises(BadClientHello) as caught:
        server_name(data)
    assert caught.value.reason is reason


@pytest.mark.parametrize("name", [b"a b.example.org.", b"a\r\nb.example.org", b"\xff\xffw.example.org"])
def test_a_name_that_is_none(name: bytes) -> None:
    with pytest.raises(BadClientHello):
        server_name(HELLO.replace(b"www.Example.org", name[:15].ljust(15, b"\0")))
