"""A server of direct server return: what it must have is put in place, remembered, and taken back."""

import json
from pathlib import Path

import pytest

from hapair.doctor import ServerNeeds
from hapair.kernel.server_side import ServerSide, run_ip

NEEDS = ServerNeeds(("192.0.2.100", "2001:db8::100"))


class FakeIp:
    """Addresses by interface, told and changed as ip(8) does."""

    def __init__(self, **addresses: list[str]) -> None:
        self.addresses = {"lo": ["127.0.0.1"], **addresses}
        self.refuses = False
        self.typed: list[str] = []

    def __call__(self, *words: str) -> str | None:
        match words:
            case ["-json", "address", "show"]:
                links = self.addresses.items()
                return json.dumps(
                    [{"ifname": name, "addr_info": [{"local": one} for one in own]} for name, own in links]
                )
            case ["address", verb, address, "dev", device, *_]:
                self.typed.append(" ".join(words))
                if self.refuses:
                    return None
                getattr(self.addresses[device], {"add": "append", "delete": "remove"}[verb])(address.partition("/")[0])
        return ""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "proc"
    (root / "net/ipv4/conf/all").mkdir(parents=True)
    for name in ("arp_ignore", "arp_announce"):
        (root / "net/ipv4/conf/all" / name).write_text("0\n")
    return root


def settings(root: Path) -> list[str]:
    return [(root / "net/ipv4/conf/all" / name).read_text().strip() for name in ("arp_ignore", "arp_announce")]


def test_it_is_put_in_place_and_taken_back(tmp_path: Path, root: Path) -> None:
    ip = FakeIp()
    server = ServerSide(tmp_path / "run", ip=ip, root=root)
    assert [one.well for one in server.look(NEEDS)] == [False] * 4
    assert server.apply(NEEDS) == []
    assert settings(root) == ["1", "2"]
    assert ip.typed == ["address add 192.0.2.100/32 dev lo", "address add 2001:db8::100/128 dev lo nodad"]
    again = ServerSide(tmp_path / "run", ip=ip, root=root)
    assert again.apply(NEEDS) == []
    assert len(ip.typed) == 2
    assert [one.words for one in again.look(NEEDS)] == [
        "net.ipv4.conf.all.arp_ignore is 1",
        "net.ipv4.conf.all.arp_announce is 2",
        "192.0.2.100 is on lo, added by hapair",
        "2001:db8::100 is on lo, added by hapair",
        "net.ipv4.conf.all.arp_announce was 0 before hapair changed it, and will be again",
        "net.ipv4.conf.all.arp_ignore was 0 before hapair changed it, and will be again",
    ]
    assert again.undo() == [
        "192.0.2.100/32 is no longer on lo",
        "2001:db8::100/128 is no longer on lo",
        "net.ipv4.conf.all.arp_announce is 0 again",
        "net.ipv4.conf.all.arp_ignore is 0 again",
    ]
    assert (settings(root), ip.addresses["lo"], again.undo()) == (["0", "0"], ["127.0.0.1"], [])


def test_what_was_there_before_stays(tmp_path: Path, root: Path) -> None:
    (root / "net/ipv4/conf/all/arp_ignore").write_text("2\n")
    server = ServerSide(tmp_path, ip=(ip := FakeIp(lo=["192.0.2.100", "2001:db8::100"])), root=root)
    assert server.apply(NEEDS) == []
    assert (ip.typed, settings(root)) == ([], ["2", "2"])
    assert server.undo() == ["net.ipv4.conf.all.arp_announce is 0 again"]
    assert ip.addresses["lo"] == ["192.0.2.100", "2001:db8::100"]


def test_no_address_is_added_before_arp_is_silent(tmp_path: Path) -> None:
    server = ServerSide(tmp_path, ip=(ip := FakeIp()), root=tmp_path / "nowhere")
    assert server.apply(NEEDS) == [
        "ARP is not as it must be: sysctl -w net.ipv4.conf.all.arp_ignore=1",
        "ARP is not as it must be: sysctl -w net.ipv4.conf.all.arp_announce=2",
    ]
    assert ip.typed == []


def test_what_ip_refuses_is_told(tmp_path: Path, root: Path) -> None:
    ip = FakeIp()
    ip.refuses = True
    assert ServerSide(tmp_path, ip=ip, root=root).apply(ServerNeeds(("2001:db8::100",))) == [
        "2001:db8::100/128 cannot be added: ip address add 2001:db8::100/128 dev lo nodad"
    ]


def test_a_vip_on_another_interface_is_seen_by_the_lan(tmp_path: Path, root: Path) -> None:
    server = ServerSide(tmp_path, ip=FakeIp(eth0=["192.0.2.100"]), root=root)
    finding = server.look(ServerNeeds(("192.0.2.100",)))[-1]
    assert (finding.well, finding.words) == (
        False,
        "192.0.2.100 is on eth0, where the LAN sees it, and must be on lo alone",
    )


def test_the_real_ip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run_ip("address") is None
    script = tmp_path / "ip"
    script.write_text('#!/bin/sh\n[ "$1" = address ] && echo "$@"\n')
    script.chmod(0o755)
    assert run_ip("address", "show") == "address show\n"
    assert run_ip("link") is None
