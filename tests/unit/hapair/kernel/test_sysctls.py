"""Settings of the machine: changed where allowed, remembered over a crash, put back."""

from pathlib import Path

import pytest

from hapair.kernel.sysctls import Sysctls, liberal, wanted


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "proc"
    settings = {"ipv4/ip_forward": 0, "ipv6/conf/all/forwarding": 0, "ipv6/conf/all/accept_ra": 1}
    settings |= {"ipv6/conf/eth0/accept_ra": 1, "ipv6/conf/eth1/accept_ra": 0}
    for name, value in settings.items():
        path = root / "net" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")
    return root


def test_what_forwarding_needs(root: Path) -> None:
    assert wanted(ipv4=True, ipv6=False, root=root) == {"net/ipv4/ip_forward": "1"}
    assert wanted(ipv4=True, ipv6=False, syn_proxy=True, root=root) == {
        "net/ipv4/ip_forward": "1",
        "net/netfilter/nf_conntrack_tcp_loose": "0",
        "net/ipv4/tcp_timestamps": "1",
    }
    gone = root / "net/ipv6/conf/veth7/accept_ra"  # an interface goes while we look
    gone.parent.mkdir()
    gone.symlink_to(root / "nowhere")
    assert wanted(ipv4=False, ipv6=True, root=root) == {
        "net/ipv6/conf/all/accept_ra": "2",
        "net/ipv6/conf/eth0/accept_ra": "2",
        "net/ipv6/conf/all/forwarding": "1",
    }


def test_numbers_that_were_not_followed_are_no_objection(root: Path) -> None:
    assert liberal(root) == {}  # no flow is followed yet
    setting = root / "net/netfilter/nf_conntrack_tcp_be_liberal"
    setting.parent.mkdir()
    setting.write_text("0\n")
    assert liberal(root) == {"net/netfilter/nf_conntrack_tcp_be_liberal": "1"}


def test_flows_that_begin_while_nobody_listens_are_to_tell_of_their_end(root: Path) -> None:
    setting = root / "net/netfilter/nf_conntrack_events"
    setting.parent.mkdir()
    setting.write_text("2\n")
    assert liberal(root) == {"net/netfilter/nf_conntrack_events": "1"}


def test_changed_and_put_back_also_after_a_crash(root: Path, tmp_path: Path) -> None:
    forward = root / "net/ipv4/ip_forward"
    assert Sysctls(tmp_path, root).change({"net/ipv4/ip_forward": "1"}) == []
    assert forward.read_text() == "1"
    again = Sysctls(tmp_path, root)
    assert again.change({"net/ipv4/ip_forward": "1"}) == []
    assert again.remembered() == {"net/ipv4/ip_forward": "0"}
    again.restore()
    assert forward.read_text() == "0"
    assert again.remembered() == {}


def test_what_cannot_be_changed_is_told(root: Path, tmp_path: Path) -> None:
    absent = Sysctls(tmp_path, root / "nowhere")
    assert absent.change({"net/ipv4/ip_forward": "1"}) == [
        "this machine does not forward: sysctl -w net.ipv4.ip_forward=1"
    ]


def test_what_could_not_be_changed_is_not_said_to_have_been(root: Path, tmp_path: Path) -> None:
    forward = root / "net/ipv4/ip_forward"
    assert Sysctls(tmp_path, root).change({"net/ipv4/ip_forward": "1"}) == []
    sysctls = Sysctls(tmp_path, root)  # there is no such file, so nothing can be written
    assert sysctls.change({"net/netfilter/nf_conntrack_tcp_be_liberal": "1"}) == [
        "flows that come back from the other node may stall: sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1"
    ]
    assert sysctls.remembered() == {"net/ipv4/ip_forward": "0"}
    sysctls.restore()
    assert forward.read_text() == "0"


def test_a_memory_that_is_damaged_is_none(root: Path, tmp_path: Path) -> None:
    (tmp_path / "sysctls.json").write_text("[")
    assert Sysctls(tmp_path, root).remembered() == {}
