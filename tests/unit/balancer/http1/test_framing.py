"""How long a body is."""

import pytest

from balancer.http1.errors import BadMessage, Reason
from balancer.http1.framing import CHUNKED, UNTIL_CLOSE, content_length, request_body, response_body


@pytest.mark.parametrize(
    ("values", "length"),
    [([b"0"], 0), ([b"007"], 7), ([b"5", b"5"], 5), ([b"5 ,\t5"], 5), ([b"9223372036854775807"], 9223372036854775807)],
)
def test_content_length(values: list[bytes], length: int) -> None:
    assert content_length(values) == length


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([b"1", b"2"], Reason.LENGTHS_DIFFER),
        ([b"1,2"], Reason.LENGTHS_DIFFER),
        ([b"1", b"x"], Reason.LENGTH_MALFORMED),
        ([b""], Reason.LENGTH_MALFORMED),
        ([b"1,"], Reason.LENGTH_MALFORMED),
        ([b"\xb2"], Reason.LENGTH_MALFORMED),
        ([b"1_0"], Reason.LENGTH_MALFORMED),
        ([b"9223372036854775808"], Reason.LENGTH_MALFORMED),
        ([b"0" * 20], Reason.LENGTH_MALFORMED),
    ],
)
def test_content_length_refused(values: list[bytes], reason: Reason) -> None:
    with pytest.raises(BadMessage) as refused:
        content_length(values)
    assert refused.value.reason == reason


def test_request_bodies() -> None:
    assert request_body(1, [], []) == 0
    assert request_body(1, [b"3"], []) == 3
    assert request_body(1, [], [b"chunked"]) == CHUNKED


@pytest.mark.parametrize(
    ("status", "to_head", "body"),
    [(200, False, 3), (200, True, 0), (204, False, 0), (304, False, 0), (100, False, 0), (404, False, 3)],
)
def test_response_bodies_with_a_length(status: int, to_head: bool, body: int) -> None:
    assert response_body(1, status, [b"3"], [], to_head=to_head) == body


def test_response_bodies_without_a_length() -> None:
    assert response_body(1, 200, [], [b"chunked"], to_head=False) == CHUNKED
    assert response_body(1, 200, [], [], to_head=False) == UNTIL_CLOSE
    assert response_body(1, 200, [], [], to_head=True) == 0
