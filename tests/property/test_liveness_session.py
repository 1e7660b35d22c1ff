"""The liveness link's session: however its bytes are cut, and whatever is done to them on the way."""

from contextlib import suppress
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vrrp.liveness.frames import FrameRejected, decode, encode
from vrrp.liveness.session import LinkRejected, Role, Session

SECRET = b"0123456789abcdef"
BODIES = [b"one", b"", b"a third, which is longer than the others"]


def session(role):
    dials = role is Role.DIALER
    node, peer = ("a", "b") if dials else ("b", "a")
    nonce = (b"a" if dials else b"b") * 32
    return Session(secret=SECRET, purpose="test", node=node, peer=peer, role=role, nonce=nonce)


def recording(role):
    """What the end with this role hears in a session in which the other one says BODIES."""
    a, b = session(Role.DIALER), session(Role.LISTENER)
    heard = {Role.DIALER: b"", Role.LISTENER: b""}
    for _ in range(2):
        for source, target, name in ((a, b, Role.LISTENER), (b, a, Role.DIALER)):
            data = source.take_output()
            heard[name] += data
            target.feed(data)
            assert target.next_frame() is None
    speaker = a if role is Role.LISTENER else b
    return heard[role], b"".join(speaker.seal(body) for body in BODIES)


RECORDINGS = {role: recording(role) for role in Role}


def listen(role, pieces):
    """What it says itself, the bodies it believes, and why it refused the rest."""
    end = session(role)
    said, believed = end.take_output(), []
    for piece in pieces:
        end.feed(piece)
        try:
            while (body := end.next_frame()) is not None:
                believed.append(body)
        except LinkRejected as rejected:
            return said + end.take_output(), believed, rejected.reason
        said += end.take_output()
    return said, believed, None


def cut(data, places):
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(places)]


def test_split_at_every_byte():
    for role in Role:
        data = b"".join(RECORDINGS[role])
        whole = listen(role, [data])
        assert whole[1:] == (BODIES, None)
        assert listen(role, [bytes((byte,)) for byte in data]) == whole
        for place in range(len(data)):
            assert listen(role, [data[:place], data[place:]]) == whole


@given(role=st.sampled_from(Role), places=st.lists(st.integers(0), max_size=8), garbage=st.binary(max_size=40))
def test_pieces_of_any_size_mean_the_same(role, places, garbage):
    data = b"".join(RECORDINGS[role]) + garbage
    assert listen(role, cut(data, places)) == listen(role, [data])


@given(role=st.sampled_from(Role), place=st.integers(0), change=st.integers(1, 255))
def test_one_changed_byte_ends_it_and_delivers_nothing(role, place, change):
    handshake, frames = RECORDINGS[role]
    place %= len(frames)
    changed = bytearray(frames)
    changed[place] ^= change
    _, believed, reason = listen(role, [handshake, bytes(changed)])
    begins = [0, 37, 71]
    assert believed == BODIES[: sum(place >= begin for begin in begins) - 1]
    if reason is None:  # a length that has grown: it waits for bytes which will not fit either
        _, believed_later, reason = listen(role, [handshake, bytes(changed), bytes(65536)])
        assert believed_later == believed
    assert reason is not None


@given(role=st.sampled_from(Role), place=st.integers(0), change=st.integers(1, 255))
def test_one_changed_byte_of_the_handshake_establishes_nothing(role, place, change):
    handshake, frames = RECORDINGS[role]
    changed = bytearray(handshake)
    changed[place % len(handshake)] ^= change
    assert listen(role, [bytes(changed) + frames])[1] == []


@given(role=st.sampled_from(Role), first=st.integers(0), second=st.integers(0))
def test_bytes_left_out_or_repeated_deliver_nothing_new(role, first, second):
    handshake, frames = RECORDINGS[role]
    first, second = first % len(frames), second % len(frames)
    _, believed, _ = listen(role, [handshake, frames[:first] + frames[second:]])
    assert believed == BODIES[: len(believed)]


@given(role=st.sampled_from(Role), data=st.binary(max_size=2000))
def test_any_bytes_are_refused_or_waited_for(role, data):
    assert listen(role, [data])[1] == []


@given(body=st.binary(max_size=200))
def test_any_bytes_are_one_frame_or_rejected(body):
    with suppress(FrameRejected):
        frame = decode(body)
        assert decode(encode(frame)) == frame


@given(kind=st.sampled_from([b"\x02", b"\x03", b"\x05"]), rest=st.binary(max_size=60))
def test_hellos_adverts_and_byes_of_any_bytes(kind, rest):
    with suppress(FrameRejected):
        frame = decode(kind + rest)
        assert decode(encode(frame)) == frame
