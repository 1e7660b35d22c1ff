"""What a check may say."""

from typing import Any

import pytest

from balancer.config_checks import Check, parse_status_ranges


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("200", (range(200, 201),)),
        ("200-399", (range(200, 400),)),
        ("200,204, 301-302", (range(200, 201), range(204, 205), range(301, 303))),
    ],
)
def test_status_ranges(text: str, ranges: tuple[range, ...]) -> None:
    assert parse_status_ranges(text) == ranges


@pytest.mark.parametrize("text", ["", "2xx", "99", "600", "399-200", "200-", "200,,204", "200;204"])
def test_not_status_ranges(text: str) -> None:
    with pytest.raises(ValueError, match="is not a set of status codes"):
        parse_status_ranges(text)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"http": "GET /", "tcp": "connect"}, "either http or tcp, not both"),
        ({"http": "/healthz"}, "is not a request"),
        ({"http": "POST /healthz"}, "is not a request"),
        ({"http": "GET /a b"}, "is not a request"),
        ({"http": "GET /\r\nX: y"}, "is not a request"),
        ({"host": "a b"}, "is not a host name"),
        ({"port": 0}, "port must be from 1 to 65535"),
        ({"port": 65536}, "port must be from 1 to 65535"),
        ({"rise": 0}, "rise and fall must be at least 1"),
        ({"fall": 0}, "rise and fall must be at least 1"),
        ({"interval_s": 0.001}, "at least 10ms"),
        ({"fast_interval_s": 0.0}, "at least 10ms"),
        ({"down_interval_s": 0.0}, "at least 10ms"),
        ({"timeout_s": 0.0}, "at least 10ms"),
        ({"expect": "ok"}, "is not a set of status codes"),
    ],
)
def test_a_check_refuses(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Check(**fields)
