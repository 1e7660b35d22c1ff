"""Networks, and addresses in them."""

import pytest

from balancer.networks import Networks, canonical, parse_network


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.0.0.0", True),
        ("10.255.255.255", True),
        ("11.0.0.0", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("::a00:1", False),
    ],
)
def test_what_lies_in_networks(address: str, inside: bool) -> None:
    networks = Networks(("10.0.0.0/8", "172.16.0.0/12", "192.0.2.7/32", "2001:db8::/32"))
    assert (address in networks) is inside


def test_everything_and_nothing() -> None:
    assert "192.0.2.1" in Networks(("0.0.0.0/0",))
    assert "2001:db8::1" not in Networks(("0.0.0.0/0",))
    assert "192.0.2.1" not in Networks(())
    assert not Networks(())
    assert Networks(("::/0",))


@pytest.mark.parametrize(
    ("written", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("192.0.2.1", "192.0.2.1/32"),
        ("2001:DB8:0::/32", "2001:db8::/32"),
        ("::1", "::1/128"),
    ],
)
def test_how_a_network_is_written(written: str, network: str) -> None:
    assert parse_network(written) == network


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("10.0.0.1/8", "'10.0.0.1/8' has bits set beyond its prefix length; write 10.0.0.0/8"),
        ("10.0.0.0/33", "'10.0.0.0/33' is not a network; write for example 10.0.0.0/8 or 2001:db8::/32"),
        ("proxy", "'proxy' is not a network; write for example 10.0.0.0/8 or 2001:db8::/32"),
    ],
)
def test_what_is_no_network(written: str, message: str) -> None:
    with pytest.raises(ValueError, match="write") as raised:
        parse_network(written)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_one_client_has_one_name(address: str, name: str) -> None:
    assert canonical(address) == name
