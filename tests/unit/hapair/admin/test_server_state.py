"""`show servers state` and `show servers conn`."""

from dataclasses import replace

import pytest

from hapair.admin.server_state import address_of, connections, pools_numbered, state
from tests.unit.hapair.admin.sample import NODE, WEB1, WEB3


def test_state() -> None:
    lines = state(pools_numbered(NODE)).splitlines()
    assert lines[0] == "1"
    assert lines[1].startswith("# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state ")
    assert lines[2:] == [
        "3 web 1 web1 192.0.2.21 2 0 5 5 0 15 3 3 6 0 0 0 - 80 - 0 0 - - 0",
        "3 web 2 web2 192.0.2.22 0 0 5 5 7 8 2 1 6 22 0 0 - 80 - 0 0 - - 0",
        "3 web 3 web3 2001:db8::3 3 8 4 1 3 0 0 0 0 0 0 0 - 80 - 0 0 - - 0",
    ]
    assert {len(line.split()) for line in lines[2:]} == {25} == {len(lines[1].split()) - 1}


def test_maintenance_and_checks_that_were_stopped() -> None:
    pool = replace(NODE.pools[0], servers=(replace(WEB1, admin="maint", checks_on=False, last_check_code=""),))
    assert state([(1, pool)]).splitlines()[2] == "1 web 1 web1 192.0.2.21 0 1 5 5 0 1 0 3 2 0 0 0 - 80 - 0 0 - - 0"


def test_one_that_is_stopping() -> None:
    pool = replace(NODE.pools[0], servers=(replace(WEB1, health="NOLB"),))
    assert state([(1, pool)]).splitlines()[2] == "1 web 1 web1 192.0.2.21 3 0 5 5 0 15 3 3 6 0 0 0 - 80 - 0 0 - - 0"


def test_connections() -> None:
    assert connections(pools_numbered(NODE)).splitlines()[1:2] == [
        "web/web1 3/1 192.0.2.21 80 - 0 2 2 0 0 0 -1 0 0",
    ]


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("192.0.2.1:80", ("192.0.2.1", "80")),
        ("[2001:db8::1]:80", ("2001:db8::1", "80")),
        ("unix:/run/a.sock", ("unix:/run/a.sock", "0")),
    ],
)
def test_addresses(address: str, parts: tuple[str, str]) -> None:
    assert address_of(replace(WEB3, address=address)) == parts


@pytest.mark.parametrize(("name", "parts"), [("app.internal:80", ("-", "80")), ("_http._tcp.app.internal", ("-", "0"))])
def test_a_name_that_is_not_resolved_is_no_address(name: str, parts: tuple[str, str]) -> None:
    assert address_of(replace(WEB3, address=name, known_as=name)) == parts
    assert address_of(replace(WEB3, address="192.0.2.1:80", known_as=name)) == ("192.0.2.1", "80")
