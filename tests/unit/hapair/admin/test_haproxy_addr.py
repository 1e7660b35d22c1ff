"""`set server ... addr`. What is expected is what HAProxy 2.6.12 said, for a server at 192.0.2.21:80."""

from dataclasses import replace
from typing import Any

import pytest

from hapair.admin.haproxy_addr import move
from tests.unit.hapair.admin.recorder import Recorder
from tests.unit.hapair.admin.sample import NODE, WEB1

(POOL,) = (one for one in NODE.pools if one.name == "web")
SERVER = replace(WEB1, address="192.0.2.21:80", known_as=None)
BY = " by 'stats socket command'\n"


@pytest.mark.parametrize(
    ("words", "answer", "to"),
    [
        ("192.0.2.9", f"IP changed from '192.0.2.21' to '192.0.2.9'{BY}", "192.0.2.9:80"),
        ("192.0.2.21", f"no need to change the addr{BY}", None),
        (
            "192.0.2.9 port 80",
            f"IP changed from '192.0.2.21' to '192.0.2.9', no need to change the port{BY}",
            "192.0.2.9:80",
        ),
        ("192.0.2.21 port 81", f"no need to change the addr, port changed from '80' to '81'{BY}", "192.0.2.21:81"),
        ("2001:db8::1", f"IP changed from '192.0.2.21' to '2001:db8::1'{BY}", "[2001:db8::1]:80"),
        ("192.0.2.21 port x", f"no need to change the addr, problem converting port 'x' to an int{BY}", None),
        ("192.0.2.21 port 99999", f"no need to change the addr, problem converting port '99999' to an int{BY}", None),
        ("nope", f"Invalid addr 'nope'{BY}", None),
        ("", "set server <b>/<s> addr requires an address and optionally a port.\n", None),
        ("192.0.2.9 80", "set server <b>/<s> addr requires an address and optionally a port.\n", None),
    ],
)
def test_where_it_is(words: str, answer: str, to: str | None) -> None:
    operator = Recorder()
    assert move(operator, POOL, SERVER, words.split()) == answer
    assert operator.told == ([("move", "web", "web1", to)] if to else [])


def test_one_that_has_no_address_or_may_not_move() -> None:
    class Refusing(Recorder):
        def move(self, *_: Any) -> Any:
            raise ValueError("the kernel plane takes addresses from the file alone")

    assert move(Refusing(), POOL, SERVER, ["192.0.2.9"]) == "the kernel plane takes addresses from the file alone\n"
    unix = replace(SERVER, address="unix:/run/app.sock")
    assert move(Recorder(), POOL, unix, ["192.0.2.9"]) == f"Invalid addr '192.0.2.9'{BY}"
