import pytest

from balancer.http2.response import Part, ResponseReader

OK = [(b":status", b"200")]


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    ("data", "head", "body", "trailers"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", [(b":status", b"204")], b"", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", [*OK, (b"content-length", b"0")], b"", None),
        (b"HTTP/1.1 200 OK\r\nX-A: b \r\nContent-Length: 3\r\n\r\nabc",
         [*OK, (b"x-a", b"b"), (b"content-length", b"3")], b"abc", None),
        (b"HTTP/1.1 200 OK\r\nConnection: close, x\r\nKeep-Alive: 5\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n"
         b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", OK, b"abcde", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\ngrpc-status: 0\r\n\r\n",
         OK, b"abc", [(b"grpc-status", b"0")]),
        (b"HTTP/1.1 426 Upgrade\r\nUpgrade: TLS/1.3\r\nConnection: Upgrade\r\nContent-Length: 1, 1\r\n\r\na",
         [(b":status", b"426"), (b"content-length", b"1")], b"a", None),
    ],
)  # fmt: skip
def test_a_response_is_the_same_however_it_comes(data, head, body, trailers, size):
    reader = ResponseReader(b"GET")
    parts = [part for at in range(0, len(data), size) for part in reader.feed(data[at : at + size])]
    assert parts[0].fields == head
    assert b"".join(part.data for part in parts) == body
    assert [part.ended for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].fields == (trailers if trailers else (None if len(parts) > 1 else head))
    assert reader.complete


def test_interim_responses_come_first():
    reader = ResponseReader(b"GET")
    parts = reader.feed(b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
    assert parts == [
        Part([(b":status", b"103"), (b"link", b"a")]),
        Part([*OK, (b"content-length", b"1")]),
        Part(None, b"x", ended=True),
    ]


def test_an_answer_to_head_has_a_length_and_no_body():
    reader = ResponseReader(b"HEAD")
    assert reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n") == [
        Part([*OK, (b"content-length", b"5")], ended=True)
    ]


def test_only_the_end_of_the_bytes_ends_it():
    reader = ResponseReader(b"GET")
    assert reader.close() == []
    reader.feed(b"HTTP/1.1 200 OK\r\n\r\nabc")
    assert not reader.complete
    assert reader.close() == [Part(None, ended=True)]
    assert reader.close() == []


def test_a_body_that_is_cut_off_is_not_complete():
    reader = ResponseReader(b"GET")
    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")
    assert reader.close() == []
    assert reader.begun
    assert not reader.complete


def test_what_follows_is_not_looked_at():
    reader = ResponseReader(b"GET")
    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc")
    assert reader.complete
    assert reader.feed(b"more") == []
