"""What is held of a flow, and how its traffic is written down."""

from balancer.relay.udp_flow import HELD_BYTES, Tally, UdpFlow
from balancer.slots import Counters


def record() -> tuple[Counters, memoryview]:
    cells = memoryview(bytearray(8 * 24)).cast("Q")
    return Counters(cells, 0), cells


def test_a_tally_is_written_to_both_records_once() -> None:
    (frontend, of_frontend), (server, of_server) = record(), record()
    tally = Tally(frontend, server)
    tally.datagrams_in, tally.bytes_in, tally.datagrams_out, tally.bytes_out = 2, 300, 1, 50
    tally.listed = True
    tally.settle()
    tally.settle()
    assert of_frontend.tolist() == of_server.tolist()
    assert (of_frontend[16], of_frontend[17], of_frontend[2], of_frontend[3]) == (2, 1, 300, 50)
    assert not tally.listed


def test_a_little_is_held_and_much_is_not() -> None:
    flow = UdpFlow.__new__(UdpFlow)
    flow.held = []
    flow.hold(b"a")
    flow.hold(b"b")
    assert flow.held == [b"a", b"b"]
    flow.hold(bytes(HELD_BYTES))
    assert flow.held is None
    flow.hold(b"c")
    assert flow.held is None
