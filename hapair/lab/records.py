"""One request of the measuring client, and its line on the wire between the client and who reads it. Pure."""

import json
from dataclasses import astuple, dataclass
from typing import Literal

Kind = Literal["probe", "stream"]


@dataclass(frozen=True, slots=True)
class Record:
    """What became of one request. Instants are of time.monotonic(), which all processes of a machine share."""

    kind: Kind
    """A probe opens a connection of its own; a stream keeps one alive."""
    sent_at: float
    """When its first packet was asked for: connect() for a probe."""
    took_s: float
    error: str | None
    """Why it failed, in a word or two; None where the whole answer came with status 200."""
    server: str
    """Which web server answered; empty where none did."""
    node: str
    """The address of the node that the web server saw; empty where none did."""

    @property
    def ok(self) -> bool:
        return self.error is None

    @property
    def done_at(self) -> float:
        return self.sent_at + self.took_s


def encode(record: Record) -> bytes:
    """A line."""
    return json.dumps(astuple(record), separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Record:
    """The record of a line that `encode` made."""
    return Record(*json.loads(line))
