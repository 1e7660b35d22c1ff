"""A flood of warnings becomes a trickle."""

import logging

from vrrp.limitedlog import LimitedLog


def test_one_of_a_kind_in_ten_seconds(caplog):
    limited = LimitedLog(logging.getLogger("vrrp.test"))
    for now in (0.0, 1.0, 9.9, 10.0, 10.1):
        limited.warning("ttl", "advertisement rejected", {"source": "192.0.2.6"}, now=now)
    assert [(record.message, record.left_out) for record in caplog.records] == [
        ("advertisement rejected", 0),
        ("advertisement rejected", 2),
    ]


def test_kinds_do_not_hide_each_other(caplog):
    limited = LimitedLog(logging.getLogger("vrrp.test"))
    limited.warning("ttl", "one", {}, now=5.0)
    limited.warning("checksum", "other", {}, now=5.0)
    assert [record.message for record in caplog.records] == ["one", "other"]
