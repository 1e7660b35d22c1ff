"""`hapair doctor`: what it prints and how it ends."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from hapair.cli import main

FILE = """\
pair: {nodes: {pi-a: 192.0.2.11}}
virtual_routers: {lan: {vrid: 51, interface: eth0, addresses: [192.0.2.100/24]}}
frontends:
  web: {listen: ["192.0.2.100:80"], mode: tcp, plane: kernel, pool: web}
  dsr: {listen: ["192.0.2.100:81"], mode: tcp, plane: kernel, forward: dsr, pool: dsr}
pools:
  web: {servers: {a: "192.0.2.1:80"}}
  dsr: {policy: random, servers: {a: "192.0.2.1:81"}}
"""
DROPS = "table ip filter {\nchain FORWARD {\ntype filter hook forward priority filter; policy drop;\n}\n}"


def run(tmp_path: Path, text: str, *options: str) -> tuple[int, list[str]]:
    file = tmp_path / "hapair.yaml"
    file.write_text(text)
    words = ["doctor", "--config", str(file), "--node", "pi-a", "--runtime-dir", str(tmp_path), *options]
    result = CliRunner().invoke(main, words)
    return result.exit_code, result.stdout.splitlines()


@pytest.fixture
def nft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "nft"


def test_a_firewall_in_the_way_is_named(tmp_path: Path, nft: Path) -> None:
    nft.write_text(f"#!/bin/sh\necho '{DROPS}'\n")
    nft.chmod(0o755)
    (tmp_path / "sysctls.json").write_text('{"net/ipv4/ip_forward": "0"}')
    status, lines = run(tmp_path, FILE)
    assert status == 1
    assert "net.ipv4.ip_forward is" in lines[0]
    assert "ok   net.ipv4.ip_forward was 0 before hapair changed it, and will be again" in lines
    assert lines[-1].startswith("MEND the chain ip filter FORWARD drops what is forwarded")


def test_a_setting_that_is_needed_once_flows_are_followed(
    tmp_path: Path, nft: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    liberal = "net/netfilter/nf_conntrack_tcp_be_liberal"
    monkeypatch.setattr("hapair.commands.doctor.liberal", lambda **_: {liberal: "7"})
    _, lines = run(tmp_path, FILE)
    assert lines[1].endswith("and must be 7: sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=7")
    direct_alone = FILE.replace('"192.0.2.100:80"], mode: tcp, plane: kernel, pool', '"192.0.2.100:80"], pool')
    assert not [line for line in run(tmp_path, direct_alone)[1] if "liberal" in line]


def test_a_server_on_this_machine_is_named(tmp_path: Path, nft: Path) -> None:
    _, lines = run(tmp_path, FILE.replace("192.0.2.1:80", "127.0.0.1:80"))
    own = [line for line in lines if "plane: proxy" in line]
    assert own == [
        "MEND server a of pool web is on this machine (127.0.0.1), and plane: kernel only forwards; use plane: proxy"
    ]


def test_without_nft_it_says_so(tmp_path: Path, nft: Path) -> None:
    status, lines = run(tmp_path, FILE)
    assert status == 1
    assert lines[-1].startswith("MEND nft does not tell of its rules: there is no nft on this machine")


def test_what_a_server_needs(tmp_path: Path) -> None:
    status, lines = run(tmp_path, FILE, "--server")
    assert (status, lines[-1]) == (0, "ip address add 192.0.2.100/32 dev lo")


def test_a_file_without_the_kernel_plane(tmp_path: Path) -> None:
    text = FILE.partition("frontends:")[0]
    assert run(tmp_path, text) == (0, ["no frontend is of plane: kernel: there is nothing to look for"])


def test_apply_and_undo_are_for_servers(tmp_path: Path) -> None:
    assert [run(tmp_path, FILE, *words)[0] for words in (["--apply"], ["--server", "--apply", "--undo"])] == [2, 2]


def test_a_server_is_no_node_and_there_is_nothing_to_take_back(tmp_path: Path) -> None:
    assert run(tmp_path, FILE, "--server", "--undo") == (0, ["nothing was changed by hapair on this machine"])
    here = FILE.replace("192.0.2.11", "127.0.0.1")
    assert run(tmp_path, here, "--server", "--apply") == (1, [])
