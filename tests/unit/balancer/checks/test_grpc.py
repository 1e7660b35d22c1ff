import pytest

from balancer.checks.exchanges import Passed, Unhealthy
from balancer.checks.grpc import frame, grpc, opening

SETTINGS = frame(4, 0, 0, b"\0\3\0\0\0\x64")
HEADERS = frame(1, 4, 1, b"\x88")
TRAILERS = frame(1, 5, 1, b"\x40\x0bgrpc-status\x010")


def data(message: bytes) -> bytes:
    return frame(0, 0, 1, b"\0" + len(message).to_bytes(4, "big") + message)


def play(*answers: bytes) -> tuple[Passed, list[bytes]]:
    exchange = grpc("", "a:1", tls=False)
    sent = [next(exchange)]
    try:
        for answer in answers:
            sent.append(exchange.send(answer))
    except StopIteration as done:
        return done.value, sent[1:]
    raise AssertionError("it waits for more")


def reason_of(*answers: bytes) -> str:
    with pytest.raises(Unhealthy) as caught:
        play(*answers)
    return str(caught.value)


def test_what_is_sent() -> None:
    sent = opening("shop", "a:1", tls=True)
    assert sent.startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
    assert b"\0\7:method\4POST\0\7:scheme\5https\0\5:path\x1c/grpc.health.v1.Health/Check\0\x0a:authority\3a:1" in sent
    assert sent.endswith(b"\0\0\x0b\0\1\0\0\0\1" + b"\0\0\0\0\6\x0a\4shop")
    assert opening("", "a:1", tls=False).endswith(b"\0\0\5\0\1\0\0\0\1" + b"\0\0\0\0\0")
    assert b"\x7f\x49" + b"n" * 200 in opening("", "n" * 200, tls=False)


def test_serving() -> None:
    answer = SETTINGS + HEADERS + data(b"\x08\1") + TRAILERS
    assert play(answer) == (Passed("SERVING"), [])
    assert play(answer[:5], answer[5:30], answer[30:])[0] == Passed("SERVING")


def test_settings_and_pings_are_acknowledged() -> None:
    passed, sent = play(SETTINGS + frame(6, 0, 0, b"12345678"), HEADERS + data(b"\x08\1"))
    assert passed == Passed("SERVING")
    assert sent == [frame(4, 1, 0, b"") + frame(6, 1, 0, b"12345678")]


def test_padding_is_no_part_of_a_message() -> None:
    padded = frame(0, 8, 1, b"\3" + b"\0\0\0\0\2\x08\1" + bytes(3))
    assert play(SETTINGS + HEADERS + padded)[0] == Passed("SERVING")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (SETTINGS + HEADERS + data(b"\x08\2"), "NOT_SERVING"),
        (SETTINGS + HEADERS + data(b""), "UNKNOWN"),
        (SETTINGS + HEADERS + data(b"\x08\x09"), "status 9"),
        (SETTINGS + HEADERS + frame(0, 0, 1, b"\1\0\0\0\2\x08\1"), "a compressed answer"),
        (SETTINGS + TRAILERS, "the call failed: no gRPC health service, or it does not know the service"),
        (SETTINGS + frame(3, 0, 1, b"\0\0\0\7"), "the server refused the call"),
        (frame(7, 0, 0, bytes(8)), "the server refused the call"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not an HTTP/2 server"),
    ],
)
def test_anything_else_fails(answer: bytes, reason: str) -> None:
    assert reason_of(answer) == reason


def test_an_early_end() -> None:
    assert reason_of(SETTINGS, b"") == "connection closed before the end of the answer"
