import hmac

import pytest

from vrrp.liveness.session import (
    BODY_LIMIT_BYTES,
    MAC_BYTES,
    LinkRejected,
    RejectReason,
    Role,
    Session,
)

SECRET = b"0123456789abcdef0123456789abcdef"
NONCE_A, NONCE_B = b"a" * 32, b"b" * 32


def dialer(**changes):
    values = {
        "secret": SECRET, "purpose": "liveness", "node": "pi-a", "peer": "pi-b", "role": Role.DIALER, "nonce": NONCE_A,
    }  # fmt: skip
    return Session(**(values | changes))


def listener(**changes):
    values = {
        "secret": SECRET, "purpose": "liveness", "node": "pi-b", "peer": "pi-a", "role": Role.LISTENER,
        "nonce": NONCE_B,
    }  # fmt: skip
    return Session(**(values | changes))


def move(source, target):
    """What one wants to say goes to the other, which says what it makes of it; the bytes."""
    data = source.take_output()
    target.feed(data)
    assert target.next_frame() is None
    return data


def shake_hands(a, b):
    """Everything that travels: to b, to a."""
    to_b, to_a = b"", b""
    for _ in range(2):
        to_b += move(a, b)
        to_a += move(b, a)
    assert a.established
    assert b.established
    return to_b, to_a


def established():
    a, b = dialer(), listener()
    shake_hands(a, b)
    return a, b


def refusal(session, data=b""):
    session.feed(data)
    with pytest.raises(LinkRejected) as caught:
        list(iter(session.next_frame, None))
    return caught.value.reason


def test_handshake_then_frames_both_ways():
    a, b = established()
    b.feed(a.seal(b"one") + a.seal(b"") + a.seal(b"three"))
    assert [b.next_frame() for _ in range(4)] == [b"one", b"", b"three", None]
    a.feed(b.seal(b"back"))
    assert (a.next_frame(), a.next_frame()) == (b"back", None)


def test_the_secret_does_not_travel_and_the_listener_says_nothing_to_a_stranger():
    a, b = dialer(), listener()
    to_b, to_a = shake_hands(a, b)
    assert SECRET not in to_b + to_a
    stranger, b = dialer(), listener()
    first = move(stranger, b)
    answer = b.take_output()
    assert answer[2:8] == b"hapair"
    assert answer.endswith(NONCE_B)  # a hello and nothing after it
    assert len(first) == len(answer)
    assert not b.established


def test_a_frame_as_it_is_written_down():
    """Length, body, HMAC-SHA256 over place and length and body with a key that both nonces are in."""
    a, _ = established()
    parts = (b"hapair", b"liveness", b"frames", b"d", NONCE_A + NONCE_B)
    key = hmac.digest(SECRET, b"".join(len(part).to_bytes(2, "big") + part for part in parts), "sha256")
    assert a.seal(b"hi") == b"\0\2hi" + hmac.digest(key, bytes(8) + b"\0\2hi", "sha256")
    assert a.seal(b"") == b"\0\0" + hmac.digest(key, bytes(7) + b"\1\0\0", "sha256")


def test_wrong_secret():
    a, b = dialer(secret=b"another secret, as long"), listener()
    move(a, b)
    move(b, a)
    assert refusal(b, a.take_output()) is RejectReason.PROOF
    assert b.take_output() == b""
    assert not b.established


def test_wrong_secret_of_the_listener():
    """Somebody who listens in the peer's place and makes a proof up."""
    a, b = dialer(), listener()
    move(a, b)
    move(b, a)
    assert refusal(a, b"\0\x20" + bytes(32)) is RejectReason.PROOF
    assert not a.established


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"node": "pi-c"}, RejectReason.NAME),
        ({"node": "pi-b"}, RejectReason.NAME),
        ({"purpose": "flows"}, RejectReason.PURPOSE),
        ({"role": Role.LISTENER}, RejectReason.REFLECTED),
    ],
)
def test_hello_that_is_not_the_peers(changes, reason):
    assert refusal(listener(), dialer(**changes).take_output()) is reason


def test_own_hello_sent_back():
    b = listener()
    assert refusal(b, b.take_output()) is RejectReason.REFLECTED


def test_own_frames_sent_back():
    a, b = established()
    assert refusal(a, a.seal(b"mine")) is RejectReason.MAC
    assert refusal(b, b.seal(b"mine")) is RejectReason.MAC


def test_proof_sent_back():
    a, b = dialer(), listener()
    move(a, b)
    move(b, a)
    assert refusal(a, a.take_output()) is RejectReason.PROOF


def test_recording_of_a_former_session():
    a, b = dialer(), listener()
    recording, _ = shake_hands(a, b)
    recording += a.seal(b"I am Active")
    later = listener(nonce=b"c" * 32)
    assert refusal(later, recording) is RejectReason.PROOF
    assert not later.established


def test_frames_of_another_session_spliced_in():
    a, _ = established()
    other = dialer(nonce=b"x" * 32), listener()
    shake_hands(*other)
    assert refusal(other[1], a.seal(b"one")) is RejectReason.MAC


def test_repeated_left_out_and_swapped_frames():
    frames = []
    for order in ((0, 0), (1,), (1, 0), (0, 2)):
        a, b = established()
        frames = [a.seal(b"%d" % number) for number in range(3)]
        assert refusal(b, b"".join(frames[place] for place in order)) is RejectReason.MAC


def test_cut_short_and_continued():
    a, b = established()
    first, second = a.seal(b"first frame"), a.seal(b"second frame")
    assert refusal(b, first[:-5] + second) is RejectReason.MAC


def test_once_refused_nothing_more_is_believed():
    a, b = established()
    good = a.seal(b"good")
    assert refusal(b, bytes(2 + MAC_BYTES)) is RejectReason.MAC
    assert refusal(b, good) is RejectReason.MAC


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", RejectReason.LENGTH),
        (b"\x03\xff", RejectReason.LENGTH),
        (b"\0\0", RejectReason.PROTOCOL),
        (b"\0\x06hapair", RejectReason.PROTOCOL),
        (b"\0\x08hapair\1d", RejectReason.PROTOCOL),
        (b"\0\x08hapair\2d", RejectReason.VERSION),
        (b"\0\x0ahapair\1d\x01\xff", RejectReason.PROTOCOL),
        (b"\0\x0ahapair\1x\0\0", RejectReason.PROTOCOL),
        (b"\0\x0ahapair\1d\0\0", RejectReason.PROTOCOL),
        (b"\0\x09hapair\1d\x50", RejectReason.PROTOCOL),
    ],
)
def test_garbage_for_a_hello(data, reason):
    assert refusal(listener(), data) is reason


def test_a_proof_of_another_length():
    a, b = dialer(), listener()
    move(a, b)
    proof = b"\0\x1f" + bytes(31)
    assert refusal(b, proof) is RejectReason.PROOF


def test_before_the_proof_little_is_taken_in():
    a, b = dialer(), listener()
    move(a, b)
    assert b.next_frame() is None
    assert refusal(b, b"\x03\xff") is RejectReason.LENGTH


def test_longest_frame():
    a, b = established()
    longest = bytes(BODY_LIMIT_BYTES)
    b.feed(a.seal(longest))
    assert b.next_frame() == longest
    with pytest.raises(ValueError, match="a frame of 65503 bytes is too long: at most 65502"):
        a.seal(bytes(BODY_LIMIT_BYTES + 1))
    assert refusal(b, b"\xff\xff") is RejectReason.LENGTH


def test_nothing_is_sealed_before_the_handshake():
    with pytest.raises(RuntimeError):
        dialer().seal(b"")


def test_what_it_is_made_of_is_checked():
    with pytest.raises(ValueError, match="a secret of 5 bytes is too short: at least 16"):
        dialer(secret=b"short")
    with pytest.raises(ValueError, match="a nonce has 32 bytes, not 3"):
        dialer(nonce=b"abc")


def test_keys_show_nothing():
    a, _ = established()
    assert repr(a._keys) == "_Keys()"
