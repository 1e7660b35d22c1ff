"""Connections of clients as whoever looks at them sees them. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Session:
    """One connection of a client, or one stream of it; `pool` and `server` are empty while it speaks with none."""

    id: int
    """Of the connection, while it is open."""
    frontend: str
    client: str
    port: int
    age_s: float
    pool: str = ""
    server: str = ""
