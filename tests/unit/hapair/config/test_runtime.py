"""`runtime` of the file."""

import pytest

from hapair.config import ConfigError, load_text, node_view
from hapair.config.runtime import CommandSocket

TEXT = "pair: {nodes: {pi-a: 192.0.2.11}}\n"


def test_a_file_is_watched_where_it_says_so() -> None:
    assert not node_view(load_text(TEXT), "pi-a").watch_file
    assert node_view(load_text(TEXT + "runtime: {watch_file: true}\n"), "pi-a").watch_file


def test_sockets_more_with_a_level_each() -> None:
    text = TEXT + 'runtime: {sockets: {/run/a.sock: user, /run/b.sock: {mode: "0600", group: zabbix}}}\n'
    sockets = node_view(load_text(text), "pi-a").command_sockets
    assert sockets == {
        "/run/a.sock": CommandSocket(level="user"),
        "/run/b.sock": CommandSocket(level="operator", mode="0600", group="zabbix"),
    }
    assert (sockets["/run/b.sock"].file.bits, sockets["/run/b.sock"].file.group) == (0o600, "zabbix")


@pytest.mark.parametrize(
    ("sockets", "words"),
    [
        ("{a.sock: user}", "'a.sock' is no place for a socket"),
        (f"{{/{'a' * 107}: user}}", "at most 107 bytes"),
        ("{/a: root}", "root is not one of user, operator, admin"),
        ('{/a: {mode: "9"}}', "must be three octal digits"),
        (f"{{{', '.join(f'/{i}: user' for i in range(17))}}}", "at most 16 sockets"),
    ],
)
def test_what_is_no_socket(sockets: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_text(f"{TEXT}runtime: {{sockets: {sockets}}}\n")
