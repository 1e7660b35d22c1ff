"""What `hapair check` finds odd about the file of a machine's own."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from hapair import secret
from hapair.config import load
from hapair.this_machine import Account, Machine, odd_here, this_machine

TEXT = """\
pair: {nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}, secret_file: pair.key}
virtual_routers:
  lan:
    vrid: 51
    interface: {pi-a: eth0, pi-b: end0}
    addresses: [192.0.2.100/24]
    priority: {pi-a: 200, pi-b: 100}
frontends: {web: {listen: ["192.0.2.100:80"], pool: web}}
pools: {web: {servers: {web1: "192.0.2.21:80"}}}
"""
PI_A = Machine(
    name="pi-a",
    interfaces=("eth0", "wlan0"),
    has_address=lambda address: address == "192.0.2.11",
    speaks_from=lambda address: "192.0.2.11" if address.startswith("192.0.2.") else "198.51.100.7",
    service=None,
    is_root=True,
)
STRANGER = Account(os.geteuid() + 1, os.getegid() + 1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "hapair.yaml"
    path.write_text(TEXT)
    path.chmod(0o644)
    tmp_path.chmod(0o755)
    secret.make(tmp_path / "pair.key")
    return path


def odd(file: Path, machine: Machine, node: str | None = None) -> list[str]:
    return list(odd_here(load(file), machine, node))


def test_a_machine_that_is_as_the_file_says(file: Path) -> None:
    assert odd(file, PI_A) == []


def test_a_name_that_is_not_in_the_file(file: Path) -> None:
    assert odd(file, replace(PI_A, name="pia")) == [
        f"this machine calls itself 'pia', and {file} names pi-a and pi-b in pair.nodes; did you mean pi-a? "
        "Write this machine's host name there, or start with --node NAME"
    ]
    assert odd(file, replace(PI_A, name="raspberrypi"), "pi-a") == []


def test_the_other_machine(file: Path) -> None:
    assert odd(file, PI_A, "pi-b") == [
        "pair.nodes.pi-b: 192.0.2.12 is no address of this machine; `ip -br address` shows what it has",
        "virtual_routers.lan.interface: there is no end0 on this machine, which has eth0 and wlan0",
    ]


def test_a_vip_of_another_network(file: Path) -> None:
    file.write_text(TEXT.replace("[192.0.2.100/24]", "[192.0.2.100/24, 203.0.113.5/32, 10.0.0.100/24]"))
    words = "virtual_routers.lan.addresses: 10.0.0.100/24: this machine has no address in 10.0.0.0/24; is that meant?"
    assert odd(file, PI_A) == [words]
    assert odd(file, replace(PI_A, speaks_from=lambda address: None))[-1] == words


def test_a_secret_that_is_not_there_or_open_to_all(file: Path) -> None:
    key = file.with_name("pair.key")
    key.chmod(0o644)
    assert odd(file, PI_A) == [
        f"pair.secret_file: {key} is open to others (mode 0644): chmod 0600, or 0640 for the group hapair to read"
    ]
    key.unlink()
    assert odd(file, PI_A) == [
        f"pair.secret_file: {key} is not there: make it with `hapair init`, or copy it from the other node"
    ]


def test_what_the_user_of_the_service_cannot_read(file: Path) -> None:
    key = file.with_name("pair.key")
    file.chmod(0o600)
    assert odd(file, replace(PI_A, service=STRANGER)) == [
        f"{file} is not to be read by the user hapair, whom the service runs as: chmod 0644 {file}",
        f"pair.secret_file: the user hapair, whom the service runs as, cannot read {key}: "
        f"chgrp hapair {key}; chmod 0640 {key}",
    ]


@pytest.mark.parametrize(("account", "mode", "folder", "can"), [
    (STRANGER, 0o644, 0o755, True),
    (STRANGER, 0o640, 0o755, False),
    (STRANGER, 0o644, 0o750, False),
    (replace(STRANGER, gid=os.getegid()), 0o640, 0o750, True),
    (replace(STRANGER, gid=os.getegid()), 0o604, 0o755, False),
    (Account(os.geteuid(), os.getegid()), 0o600, 0o700, True),
])  # fmt: skip
def test_who_may_read_by_the_modes(tmp_path: Path, account: Account, mode: int, folder: int, can: bool) -> None:
    path = tmp_path / "some"
    path.touch()
    os.chown(path, -1, os.getegid())
    path.chmod(mode)
    tmp_path.chmod(folder)
    assert account.can_read(path) is can


def test_a_secret_that_an_ordinary_user_may_not_read_is_as_it_should_be(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read everything
    file.with_name("pair.key").chmod(0o644)
    assert odd(file, replace(PI_A, is_root=False)) == []


def test_this_machine_knows_its_own_addresses() -> None:
    machine = this_machine()
    assert machine.has_address("127.0.0.1")
    assert not machine.has_address("192.0.2.11")
    assert machine.speaks_from("127.0.0.2") == "127.0.0.1"
    assert "lo" not in machine.interfaces
