"""Who is asking."""

import base64

import pytest
import trio
from trio.testing import MockClock

from hapair.admin import passwords
from hapair.admin.logins import NEAR, NOBODY, Caller, Logins, TooManyAttempts
from hapair.config.admin import AdminUser

USERS = {
    "anna": AdminUser(password=str(passwords.make("correct horse", log2_n=10, r=1, p=1))),
    "ben": AdminUser(password=str(passwords.make("battery staple", log2_n=10, r=1, p=1)), level="viewer"),
}


def basic(name: str, password: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{name}:{password}".encode())


async def test_each_user_has_a_level() -> None:
    logins = Logins(USERS)
    assert await logins.caller("192.0.2.1", basic("anna", "correct horse")) == Caller("anna", "admin")
    assert await logins.caller("192.0.2.1", basic("ben", "battery staple")) == Caller("ben", "viewer")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        b"",
        b"Basic",
        b"Basic !",
        b"Bearer YW5uYTpjb3JyZWN0IGhvcnNl",
        b"Basic " + base64.b64encode(b"anna"),
        basic("anna", "battery staple"),
        basic("ben", "correct horse"),
        basic("carl", "correct horse"),
        basic("", ""),
    ],
)
async def test_nobody(authorization: bytes | None) -> None:
    assert await Logins(USERS).caller("192.0.2.1", authorization) == NOBODY


async def test_without_users_whoever_can_ask_may_look() -> None:
    assert await Logins({}).caller("127.0.0.1", None) == NEAR
    assert NEAR.level == "viewer"


async def test_wrong_passwords_are_limited_and_a_known_one_is_not_concerned() -> None:
    logins = Logins(USERS)
    right = basic("anna", "correct horse")
    await logins.caller("192.0.2.1", right)
    for _ in range(5):
        assert await logins.caller("192.0.2.1", basic("anna", "guess")) == NOBODY
    with pytest.raises(TooManyAttempts):
        await logins.caller("192.0.2.1", basic("anna", "guess"))
    assert (await logins.caller("192.0.2.1", right)).name == "anna"  # remembered: it costs nothing to say so


async def test_a_password_is_derived_once_and_remembered_for_a_while(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(passwords, "matches", lambda password, known: asked.append(password) or True)
    logins = Logins(USERS)
    for _ in range(3):
        await logins.caller("192.0.2.1", basic("anna", "x"))
    await trio.sleep(301)
    await logins.caller("192.0.2.1", basic("anna", "x"))
    assert asked == [b"x", b"x"]
