"""Fields that a proxy reads or takes out."""

import pytest

from balancer.http1.errors import BadMessage, Reason
from balancer.http1.fields import (
    FIND_IN_REQUEST,
    FIND_IN_RESPONSE,
    by_name,
    connection_options,
    finder_of,
    has_underscore,
    lines_of,
    nominated,
    tokens,
    without,
    without_underscores,
)


def test_found_in_a_request() -> None:
    fields = b"\nhost: a\r\nX-Host: b\r\nHostx: c\r\nCONTENT-LENGTH:5\r\nx_forwarded_for: d\r\nExpect:\r\n"
    assert FIND_IN_REQUEST.findall(fields) == [
        (b"host", b" a"),
        (b"CONTENT-LENGTH", b"5"),
        (b"x_forwarded_for", b" d"),
        (b"Expect", b""),
    ]


def test_found_in_a_response() -> None:
    fields = b"\nServer: host: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nHost: a\r\n"
    assert FIND_IN_RESPONSE.findall(fields) == [(b"Connection", b" close"), (b"Transfer-Encoding", b" chunked")]


def test_values_by_name() -> None:
    assert by_name(((b"TE", b" a"), (b"te", b"\tb "), (b"Host", b"\xa0"))) == {
        b"te": [b"a", b"b"],
        b"host": [b"\xa0"],
    }


def test_tokens_of_lists() -> None:
    assert tokens([b"A, b,", b" ,c\t"]) == [b"a", b"b", b"c"]


def test_connection_options() -> None:
    assert connection_options([b"Close, x-A", b"", b" ,te"]) == {b"close", b"x-a", b"te"}


@pytest.mark.parametrize("value", [b"a b", b"a;b", b'"a"', b"a, (b)", b"\xa0a"])
def test_connection_options_are_tokens(value: bytes) -> None:
    with pytest.raises(BadMessage) as refused:
        connection_options([value])
    assert refused.value.reason == Reason.CONNECTION_OPTION


def test_nominated_fields_leave_out_what_is_ours_or_never_goes_on() -> None:
    options = frozenset({b"x-a", b"host", b"content-length", b"close", b"te", b"upgrade", b"keep-alive"})
    assert nominated(options) == {b"x-a"}


def test_lines_are_cut_out_exactly() -> None:
    found = ((b"Host", b" a"), (b"TE", b" x"), (b"te", b""))
    lines = lines_of(found, frozenset({b"host"}))
    assert lines == (b"\nTE: x\r", b"\nte:\r")
    fields = b"\nHost: a\r\nTE: x\r\nX: TE: x\r\nte:\r\nTE: xy\r\n"
    assert without(fields, lines, frozenset()) == b"\nHost: a\r\nX: TE: x\r\nTE: xy\r\n"


def test_lines_that_follow_each_other_are_all_cut_out() -> None:
    fields = b"\nA: 1\r\nA: 1\r\nA: 1\r\n"
    assert without(fields, (b"\nA: 1\r",), frozenset()) == b"\n"
    assert without(fields, (), frozenset({b"a"})) == b"\n"


def test_names_are_taken_literally() -> None:
    fields = b"\nX.Y: 1\r\nX-Y: 2\r\nx.y : 3\r\n"
    assert without(fields, (), frozenset({b"x.y"})) == b"\nX-Y: 2\r\nx.y : 3\r\n"


def test_values_of_one_name() -> None:
    fields = b"\nX-A:  1 \r\nx-a:2\r\nXX-A: 3\r\nY: X-A: 4\r\n"
    assert finder_of(b"x-a")(fields) == [b"  1 ", b"2"]


def test_names_with_an_underscore() -> None:
    fields = b"\nX_A: 1\r\nX-A: a_b\r\nY_: 2\r\n"
    assert has_underscore(fields)
    assert without_underscores(fields) == b"\r\nX-A: a_b\r\n"[1:]
    assert not has_underscore(b"\nX-A: a_b:c\r\n")
