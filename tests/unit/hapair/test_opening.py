"""What a node needs to run a file."""

from pathlib import Path

import pytest

from hapair import privileges, secret
from hapair.config import load_text, node_view
from hapair.opening import missing_privileges, opening_of
from hapair.secret import SecretError

TEXT = """\
pair: {nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}, secret_file: pair.key}
virtual_routers:
  lan: {vrid: 51, interface: eth0, addresses: [192.0.2.100/24], advertisement_interval: 50ms}
"""


def test_an_announcer_gets_secret_and_link(tmp_path: Path) -> None:
    config = node_view(load_text(TEXT, str(tmp_path / "hapair.yaml")), "pi-a")
    with pytest.raises(SecretError):
        opening_of(config)
    secret.make(tmp_path / "pair.key")
    opening = opening_of(config)
    assert opening.link is not None
    assert (opening.link.node, opening.link.peer, opening.link.interval_s) == ("pi-a", "pi-b", 0.05)
    assert opening.secret == opening.link.secret
    assert opening.routers == config.routers


def test_what_is_missing_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    config = node_view(load_text(TEXT.replace(", secret_file: pair.key", "")), "pi-a")
    monkeypatch.setattr(privileges, "missing_capabilities", lambda needed: ["CAP_NET_ADMIN"] if needed else [])
    assert str(missing_privileges(config)).startswith("holding virtual IP addresses needs CAP_NET_ADMIN: start hapair")
    assert missing_privileges(node_view(load_text("pair: {nodes: {pi-a: 192.0.2.11}}\n"), "pi-a")) is None
