"""Tokens: the same wherever the key is, worth nothing where anything of them is changed."""

import re

import pytest

from balancer.config_persistence import CookieSettings
from balancer.persistence.tokens import NOTHING, Reading, Tokens, Verdict

KEY = bytes(range(32))
NOW = 1_800_000_000


def tokens(
    key: bytes = KEY, pool: str = "web", servers: tuple[str, ...] = ("web1", "web2"), **settings: float
) -> Tokens:
    return Tokens(key, pool, CookieSettings(name="H", **settings), servers)  # type: ignore[arg-type]


def test_a_token_names_its_server_on_whoever_has_the_key() -> None:
    token = tokens().make("web1", NOW)
    assert token == b"0mEHqAi-HR3v3W7By8bvbd5JJOQKW7lt"
    assert tokens(servers=("web2", "web1", "web3")).read(token, NOW + 10**9) == Reading(Verdict.ACCEPTED, "web1")


def test_it_tells_neither_name_nor_address_and_differs_between_pools_and_servers() -> None:
    made = {tokens(pool=pool).make(server, NOW) for pool in ("web", "api") for server in ("web1", "web2")}
    assert len(made) == 4
    assert all(re.fullmatch(rb"[A-Za-z0-9_-]{32}", one) for one in made)


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b"web1",
        b"A" * 32,
        b"A" * 48,
        b"A" * 33,
        b"=" * 32,
        b"!" * 32,
        b"\xff" * 32,
        tokens(key=bytes(32)).make("web1", NOW),
        tokens().make("web1", NOW)[:31] + b"A",
    ],
)
def test_what_we_did_not_sign_is_forged(token: bytes) -> None:
    assert tokens().read(token, NOW).verdict is Verdict.FORGED


def test_a_cookie_of_another_name_is_forged() -> None:
    other = Tokens(KEY, "web", CookieSettings(name="OTHER"), ("web1",)).make("web1", NOW)
    assert tokens().read(other, NOW).verdict is Verdict.FORGED


def test_one_of_a_server_that_left_or_of_another_pool_is_stale() -> None:
    assert tokens(servers=("web2",)).read(tokens().make("web1", NOW), NOW).verdict is Verdict.STALE
    assert tokens(pool="api").read(tokens().make("web1", NOW), NOW).verdict is Verdict.STALE


def test_idle_and_life_have_their_limits() -> None:
    book = tokens(max_idle_s=100.0, max_life_s=1000.0)
    token = book.make("web1", NOW, NOW - 950)
    assert len(token) == 48
    accepted = Reading(Verdict.ACCEPTED, "web1", NOW - 950)
    assert book.read(token, NOW) == accepted
    assert book.read(token, NOW + 9) == accepted
    assert book.read(token, NOW + 10) == accepted._replace(due=True)
    assert book.read(token, NOW + 50).verdict is Verdict.ACCEPTED
    assert book.read(token, NOW + 51).verdict is Verdict.STALE
    assert tokens(max_idle_s=100.0).read(token, NOW + 100).verdict is Verdict.ACCEPTED
    assert tokens(max_idle_s=100.0).read(token, NOW + 101).verdict is Verdict.STALE


def test_a_date_far_ahead_is_stale_a_little_is_a_clock_that_differs() -> None:
    book = tokens(max_life_s=10.0)
    assert book.read(book.make("web1", NOW + 86_400), NOW).verdict is Verdict.ACCEPTED
    assert book.read(book.make("web1", NOW + 86_401), NOW).verdict is Verdict.STALE


def test_when_limits_come_tokens_without_dates_are_renewed_and_when_they_go_dates_do_not_count() -> None:
    plain, dated = tokens(), tokens(max_life_s=10.0)
    assert dated.read(plain.make("web1", NOW), NOW) == Reading(Verdict.ACCEPTED, "web1", due=True)
    assert plain.read(dated.make("web1", NOW), NOW + 10**6).verdict is Verdict.ACCEPTED


def test_no_token_is_no_verdict() -> None:
    assert Reading(Verdict.NONE, None, 0, False, "N") == NOTHING


def test_codes_are_haproxys() -> None:
    book = tokens(max_idle_s=100.0, max_life_s=1000.0)
    token = book.make("web1", NOW, NOW - 950)
    assert book.read(token, NOW).code == "V"
    assert book.read(token, NOW + 51).code == "O"
    assert tokens(max_idle_s=100.0).read(token, NOW + 101).code == "E"
    assert book.read(book.make("web1", NOW + 86_401), NOW).code == "E"
    assert tokens(servers=("web2",)).read(token, NOW).code == "I"
    assert book.read(b"x" * 32, NOW).code == "I"
