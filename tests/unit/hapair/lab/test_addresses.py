"""Address events as the kernel writes them (rtnetlink(7)); the messages were laid out by hand."""

import socket

import trio

from hapair.lab.addresses import Addresses, AddressEvent, Change, decode, dump_request

# RTM_NEWADDR of 192.168.1.100/32 on interface 2, with IFA_ADDRESS, IFA_LOCAL and an IFA_LABEL of 5 bytes ("eth0")
NEW = bytes.fromhex(
    "34000000 1400 0000 00000000 00000000"
    "02 20 00 00 02000000"
    "0800 0100 c0a80164"
    "0800 0200 c0a80164"
    "0900 0300 6574683000 000000"
)
GONE = NEW[:4] + bytes.fromhex("1500") + NEW[6:]
DONE = bytes.fromhex("14000000 0300 0200 01000000 00000000 00000000")


def test_a_datagram_may_hold_several_messages() -> None:
    assert list(decode(NEW + GONE + DONE)) == [
        AddressEvent("192.168.1.100", present=True),
        AddressEvent("192.168.1.100", present=False),
    ]


def test_on_a_point_to_point_link_the_own_address_counts() -> None:
    peer = NEW.replace(bytes.fromhex("08000100c0a80164"), bytes.fromhex("080001000a000001"))
    assert list(decode(peer)) == [AddressEvent("192.168.1.100", present=True)]


def test_an_ipv6_address_is_written_as_people_write_it() -> None:
    # RTM_NEWADDR of fd00:51::100/128 on interface 2, with IFA_ADDRESS alone
    six = bytes.fromhex(
        "2c000000 1400 0000 00000000 00000000 0a80 0000 02000000 1400 0100 fd000051000000000000000000000100"
    )
    assert list(decode(six)) == [AddressEvent("fd00:51::100", present=True)]


def test_the_request_asks_for_every_address() -> None:
    assert dump_request().hex() == "180000001600010301000000000000000000000000000000"


def addresses() -> Addresses:
    return Addresses(socket.socket(socket.AF_UNIX))


def closed(found: Addresses) -> Addresses:
    found._sock.close()
    return found


def test_history_has_comings_and_goings_and_no_renewals() -> None:
    found = closed(addresses())
    found.apply(NEW, 1.0)
    found.apply(NEW, 1.25)
    assert found.holds("192.168.1.100")
    found.apply(GONE, 2.0)
    found.apply(GONE, 3.0)
    assert not found.holds("192.168.1.100")
    assert found.history == [Change(1.0, "192.168.1.100", True), Change(2.0, "192.168.1.100", False)]


async def test_until_an_address_is_there_says_since_when(autojump_clock: trio.testing.MockClock) -> None:
    found = closed(addresses())

    async def later() -> None:
        await trio.sleep(2)
        found.apply(NEW, 41.0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(later)
        assert await found.until("192.168.1.100", present=True, within_s=5) == 41.0
    assert await found.until("192.168.1.100", present=False, within_s=5) is None
