"""Who asks, for tests of what is done to a request: fixed values, and a head from text."""

from dataclasses import dataclass

from balancer.config import HttpLimits
from balancer.http1.request import RequestHead, parse_request


@dataclass
class FixedAsker:
    """An Asker whose answers a test sets."""

    address: str = "192.0.2.7"
    client_port: int = 40_000
    scheme: str = "http"
    listen_port: int = 80
    local_host: bytes = b"192.0.2.100"
    sni: str | None = None
    frontend: str = "web"
    pool: str = "app"
    server: str = "app1"
    request_id: bytes = b"0123abcd"


def head_of(target: str = "/", *lines: str, method: str = "GET", version: str = "1.1", host: str = "a") -> RequestHead:
    """The head of a request with these header lines."""
    hosts = [f"Host: {host}"] if host else []
    text = "\r\n".join([f"{method} {target} HTTP/{version}", *hosts, *lines]) + "\r\n\r\n"
    head = parse_request(text.encode("latin-1"), HttpLimits())
    assert head is not None
    return head
