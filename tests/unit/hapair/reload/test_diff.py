"""What is different between two files, in the words of the file."""

import pytest

from hapair.config import load_text
from hapair.config.types import HapairFile
from hapair.reload.diff import NOTHING, Change, apply, diff
from hapair.reload.diff import lines as told

BEFORE = """\
pair: {nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}}
frontends:
  web: {listen: ["192.0.2.100:80"], pool: web, timeouts: {idle: 30s}}
pools:
  web: {servers: {web1: "192.0.2.21:80", web2: "192.0.2.22:80"}}
admin: {listen: ":1338"}
"""
USER = "scrypt:14:8:1:" + "00" * 16 + ":" + "11" * 32


def file(text: str) -> HapairFile:
    return load_text(text).file


@pytest.mark.parametrize(
    ("written", "instead", "lines"),
    [
        ("idle: 30s", "idle: 40s", ["~ frontends.web.timeouts.idle: 30 -> 40"]),
        ('["192.0.2.100:80"]', '["192.0.2.100:80", ":81"]', ["~ frontends.web.listen: with [::]:81"]),
        ('["192.0.2.100:80"]', '[":81"]', ["~ frontends.web.listen: without 192.0.2.100:80; with [::]:81"]),
        ('web1: "192.0.2.21:80", ', "", ["- pools.web.servers.web1"]),
        ('web1: "192.0.2.21:80"', 'web1: {address: "192.0.2.21:80", weight: 5}',
         ["~ pools.web.servers.web1.weight: 1 -> 5"]),
        ('web1: "192.0.2.21:80", web2: "192.0.2.22:80"', 'web2: "192.0.2.22:80", web1: "192.0.2.21:80"',
         ["~ pools.web.servers.the order: in another order"]),
        ("  web: {servers", "  api: {servers: {one: \"192.0.2.9:1\"}}\n  web: {servers", ["+ pools.api"]),
        ('admin: {listen: ":1338"}\n', "", ["~ admin: {listen: [[::]:1338]} -> nothing"]),
        ("timeouts: {idle: 30s}", "timeouts: {idle: 30s}, maintenance: true",
         ["~ frontends.web.maintenance: nothing -> {status: 503}"]),
    ],
)  # fmt: skip
def test_each_change_is_a_line(written: str, instead: str, lines: list[str]) -> None:
    before, after = file(BEFORE), file(BEFORE.replace(written, instead))
    changes = diff(before, after)
    assert list(told(changes)) == lines
    assert apply(before, changes) == after


def test_the_same_file_is_no_change() -> None:
    assert diff(file(BEFORE), file(BEFORE)) == ()


def test_what_is_secret_is_not_shown() -> None:
    one = file(
        BEFORE.replace(":1338", ':1338", users: {ann: "' + USER + '"}, listen: "127.0.0.1:1338').replace(
            'listen: ":1338", ', ""
        )
    )
    other = file(
        BEFORE.replace(
            ":1338", ':1338", users: {ann: "' + USER.replace("11", "22") + '"}, listen: "127.0.0.1:1338'
        ).replace('listen: ":1338", ', "")
    )
    (change,) = diff(one, other)
    assert str(change) == "~ admin.users.ann.password is another"


def test_what_was_not_there_is_nothing() -> None:
    assert diff({"a": 1}, {"b": 2}) == (Change(("a",), 1, NOTHING), Change(("b",), NOTHING, 2))
    assert apply({"a": 1}, diff({"a": 1}, {"b": 2})) == {"b": 2}
