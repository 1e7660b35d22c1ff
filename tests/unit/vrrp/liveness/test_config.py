from ipaddress import IPv4Address, IPv6Address

import pytest

from vrrp.liveness.config import LinkConfig


def config(**changes):
    values = {
        "node": "pi-a",
        "peer": "pi-b",
        "address": IPv4Address("192.0.2.1"),
        "peer_address": IPv4Address("192.0.2.2"),
        "port": 1339,
        "secret": b"0123456789abcdef",
        "interval_s": 0.1,
    }
    return LinkConfig(**(values | changes))


def test_the_lower_name_dials():
    assert config().dial
    assert not config(node="pi-b", peer="pi-a").dial


def test_silence_limit():
    assert config().silence_limit_s == 1.0
    assert config(interval_s=1.0).silence_limit_s == 3.0


def test_an_end_speaks_often_enough_for_any_other_one():
    assert config(interval_s=0.1).pace_s == 0.1
    assert config(interval_s=1.0).pace_s == 1 / 3


def test_the_secret_is_not_shown():
    assert "0123456789" not in repr(config())


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"peer": "pi-a"}, "the two nodes of a pair must have different names: both are 'pi-a'"),
        ({"address": IPv6Address("fe80::1")}, "must be of one family: fe80::1 and 192.0.2.2"),
        ({"address": IPv4Address("192.0.2.2")}, "must have different addresses: both have 192.0.2.2"),
        ({"port": 0}, "port must be from 1 to 65535, not 0"),
        ({"secret": b"short"}, "must have at least 16 bytes, not 5"),
        ({"interval_s": 0.0}, "the interval must be longer than nothing, not 0.0"),
    ],
)
def test_what_cannot_be(changes, phrase):
    with pytest.raises(ValueError, match=phrase):
        config(**changes)
