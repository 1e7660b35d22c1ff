"""How an access log is written in the file."""

import pytest

from balancer.config import AccessLog
from balancer.config_log import parse_target
from balancer.fieldtypes import Endpoint


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("stdout", ("stdout", "")),
        ("journald", ("journald", "")),
        ("syslog", ("unix", "/dev/log")),
        ("syslog:/run/log.sock", ("unix", "/run/log.sock")),
        ("syslog:192.0.2.1:514", ("udp", Endpoint("192.0.2.1", 514))),
        ("syslog+tcp:[2001:db8::1]:601", ("tcp", Endpoint("2001:db8::1", 601))),
        ("/var/log/hapair/access.log", ("file", "/var/log/hapair/access.log")),
    ],
)
def test_targets(written: str, target: object) -> None:
    assert parse_target(written) == target


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"to": "stderr"}, "'stderr' is no place to log to"),
        ({"to": "log/access.log"}, "is no place to log to"),
        ({"to": "/var/log/"}, "is no place to log to"),
        ({"to": "syslog:/run/"}, "is no place to log to"),
        ({"to": "syslog+tcp:/run/log.sock"}, "is not ADDRESS:PORT"),
        ({"to": "syslog:here:514"}, "is not an IP address"),
        ({"tag": "a b"}, "tag is made of letters"),
        ({"request_headers": ("User Agent",)}, "'User Agent' is not the name of a header"),
        ({"queue_lines": 1}, "queue_lines must be from 64"),
    ],
)
def test_what_is_no_access_log(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AccessLog(**wrong)  # type: ignore[arg-type]
