"""Whether two files say the same, without saying what."""

import pytest

from hapair.config import load_text
from hapair.peer.drift import differences, digests, in_words

SECRET = b"s" * 32
TEXT = """\
pair: {nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}}
virtual_routers:
  lan: {vrid: 51, interface: {pi-a: eth0, pi-b: end0}, addresses: [192.0.2.100/24], version: 2, password: hush}
frontends:
  web: {listen: ["192.0.2.100:80"], pool: web}
pools:
  web: {slow_start: 30s, servers: {web1: "192.0.2.21:80", web2: {address: "192.0.2.22:80", weight: 3}}}
"""


def of(text: str, secret: bytes = SECRET) -> dict[str, str]:
    return digests(load_text(text).file, secret)


def differs(text: str) -> tuple[str, ...]:
    return differences(of(TEXT), of(text), node="pi-a", peer="pi-b")


def test_the_same_file_written_otherwise_is_the_same() -> None:
    other = "# a comment\n" + TEXT.replace("slow_start: 30s", "slow_start: 30000ms").replace(
        'web1: "192.0.2.21:80"', 'web1: {address: "192.0.2.21:80", weight: 1, backup: false}'
    )
    assert differs(other) == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("weight: 3", "weight: 4", ("pools.web.servers.web2.weight",)),
        ("hush", "hash", ("virtual_routers.lan.password",)),
        ("end0", "end1", ("virtual_routers.lan.interface.pi-b",)),
        ("slow_start: 30s", "slow_start: 31s", ("pools.web.slow_start",)),
        ("192.0.2.100:80", "192.0.2.100:81", ("frontends.web.listen.0",)),
        ("web1:", "web9:", ("pools.web.servers.web1 is only on pi-a", "pools.web.servers.web9 is only on pi-b")),
        ("pools:\n", "pools:\n  api: {servers: {a: '192.0.2.9:80'}}\n", ("pools.api is only on pi-b",)),
    ],
)
def test_what_differs_is_named_by_its_place(old: str, new: str, expected: tuple[str, ...]) -> None:
    assert differs(TEXT.replace(old, new)) == expected


def test_what_travels_tells_nothing_without_the_secret() -> None:
    ours = of(TEXT)
    assert {len(one) for one in ours.values()} == {16}
    assert "hush" not in str(ours)
    assert ours["virtual_routers.lan.password"] != of(TEXT, b"x" * 32)["virtual_routers.lan.password"]
    # Equal values at two places are not seen to be equal.
    assert ours["pools.web.servers.web1.backup"] != ours["pools.web.servers.web2.backup"]


def test_every_value_of_the_file_has_a_place_of_its_own() -> None:
    places = of(TEXT)
    for place in (
        *("pair.nodes.pi-a", "virtual_routers.lan.vrid", "pools.web.servers.web1.address", "frontends.web.mode"),
        *("workers", "drain"),
    ):
        assert place in places


@pytest.mark.parametrize(
    ("places", "expected"),
    [(("a",), "a"), (("a", "b", "c"), "a, b, c"), (("a", "b", "c", "d", "e"), "a, b, c and 2 more")],
)
def test_in_words(places: tuple[str, ...], expected: str) -> None:
    assert in_words(places) == expected
