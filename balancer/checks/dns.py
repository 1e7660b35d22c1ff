"""A DNS question and what its answer must be (RFC 1035 section 4). Pure."""

import struct

from balancer.checks.exchanges import Unhealthy

TYPES = {"A": 1, "NS": 2, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33}
_CODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_RECURSION_DESIRED, _IS_ANSWER, _TRUNCATED = 0x0100, 0x8000, 0x0200
_INTERNET = 1


def question(text: str, number: int) -> bytes:
    """The message that asks `NAME TYPE` (A where no type is given). `number` is 16 bits, not to be guessed."""
    name, _, kind = text.partition(" ")
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".") if label]
    encoded = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    head = struct.pack(">6H", number, _RECURSION_DESIRED, 1, 0, 0, 0)
    return head + encoded + struct.pack(">2H", TYPES[kind or "A"], _INTERNET)


def is_answer(message: bytes, asked: bytes) -> bool:
    """Whether a datagram answers our question; anything else is somebody else's and is ignored."""
    if len(message) < 12 or message[:2] != asked[:2]:
        return False
    flags, questions = struct.unpack(">2H", message[2:6])
    if not flags & _IS_ANSWER:
        return False
    # A server that does not understand a question may leave it out of its answer.
    return questions == 0 or message[12 : len(asked)].lower() == asked[12:].lower()


def judge(message: bytes) -> str:
    """The answer's code in words. Raises Unhealthy where it is no success."""
    flags, _, answers = struct.unpack(">3H", message[2:8])
    code = flags & 0x000F
    if code:
        raise Unhealthy(_CODES.get(code, f"answer code {code}"), "L7STS")
    if not answers and not flags & _TRUNCATED:
        raise Unhealthy("no records of this type", "L7STS")
    return f"{answers} record{'s' * (answers != 1)}"
