import pytest

from hapair.admin.levels import level_of, may


# As HAProxy 2.6.12 has it, asked on sockets of each level.
@pytest.mark.parametrize(
    ("command", "least"),
    [
        ("show stat", "user"),
        ("show info", "user"),
        ("show servers state", "user"),
        ("show backend", "user"),
        ("show version", "user"),
        ("show table", "user"),
        ("get weight pool/one", "user"),
        ("help", "user"),
        ("show sess", "operator"),
        ("show errors", "operator"),
        ("show env", "operator"),
        ("clear counters", "operator"),
        ("clear counters all", "admin"),
        ("set weight pool/one 3", "admin"),
        ("disable server pool/one", "admin"),
        ("add server pool/x 192.0.2.1:5", "admin"),
        ("clear table web", "admin"),
        ("shutdown session 0x1", "admin"),
        ("", "admin"),
    ],
)
def test_the_least_that_a_command_asks_for(command: str, least: str) -> None:
    assert level_of(command.split()) == least


def test_more_includes_less() -> None:
    assert may("admin", "user")
    assert may("operator", "operator")
    assert not may("user", "operator")
