"""Failures say what happened."""

import errno

from balancer.failures import ConnectFailed
from balancer.fieldtypes import Endpoint

SERVER = Endpoint("192.0.2.1", 80)


def test_a_failed_connect_names_the_server_and_the_reason() -> None:
    assert str(ConnectFailed(SERVER, errno.ECONNREFUSED)) == "192.0.2.1:80: Connection refused"


def test_silence_is_told_from_refusal() -> None:
    assert ConnectFailed(SERVER, errno.ETIMEDOUT).timed_out
    assert not ConnectFailed(SERVER, errno.ECONNREFUSED).timed_out
