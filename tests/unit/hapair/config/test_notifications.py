"""`notifications` of the file."""

import pytest

from hapair.config import ConfigError, load_text
from hapair.config.notifications import NotificationSection

TEXT = "pair: {nodes: {a: 192.0.2.1}}\nnotifications:\n  ops: "


def problems(written: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(TEXT + written)
    return [f"{one.where}: {one.message}" for one in caught.value.problems]


def test_a_webhook_and_a_command() -> None:
    file = load_text(
        TEXT + "{url: 'https://hooks.example.org/x?y=z', on: [role, drift], secret_file: hook.key, timeout: 2s}\n"
        "  pager: {command: [/usr/local/bin/page, now]}\n"
    ).file
    assert file.notifications == {
        "ops": NotificationSection(
            url="https://hooks.example.org/x?y=z", on=("role", "drift"), secret_file="hook.key", timeout_s=2.0
        ),
        "pager": NotificationSection(command=("/usr/local/bin/page", "now")),
    }
    assert file.notifications["pager"].on == ("role", "server", "pool", "drift", "certificate")


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("{}", ": say one of url and command"),
        ("{url: 'http://h/', command: [/bin/true]}", ": say one of url and command"),
        ("{url: 'ftp://h/'}", ".url: must be like https://hooks.example.org/path"),
        ("{url: 'https:///x'}", ".url: must be like https://hooks.example.org/path"),
        ("{url: 'https://h/a b'}", ".url: must be like https://hooks.example.org/path"),
        ("{url: 'https://h:99999/'}", ": Port out of range 0-65535"),
        ("{url: 'https://a:b@h/'}", ".url: must hold no name and password: authorization_file is for that"),
        ("{command: [page]}", ".command: must begin with the whole path of a program, for example "),
        ("{command: [/bin/p], secret_file: x}", ": secret_file, authorization_file, ca_file and verify are for a url"),
        ("{url: 'http://h/', on: []}", ".on: must name kinds of events, for example [role, server, "),
        ("{url: 'http://h/', on: [notification]}", ".on[0]: notification is not one of start, stop, "),
        ("{url: 'http://h/', timeout: 2m}", ".timeout: must be from 100ms to 1m"),
        ("{url: 'http://h/', on: [rolle]}", ".on[0]: rolle is not one of "),
    ],
)
def test_what_it_cannot_be(written: str, problem: str) -> None:
    (found,) = problems(written)
    assert found.startswith(f"notifications.ops{problem}")
