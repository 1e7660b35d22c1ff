"""Texts that are filled in for each request."""

import re

import pytest

from balancer.http1.request import RequestHead
from balancer.placeholders import IN_REQUESTS, host_name, template
from tests.unit.balancer.asking import FixedAsker, head_of

HEAD = head_of("/a/b?c=1&d", host="Example.org:8080")


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("plain 100%", b"plain 100%"),
        ("https://{hostname}{target}", b"https://example.org/a/b?c=1&d"),
        ("{scheme}://{host}{path}?{query}", b"http://Example.org:8080/a/b?c=1&d"),
        ("{client}:{client_port} {method}", b"192.0.2.7:40000 GET"),
        ("{frontend} {pool} {server} {port} {request_id}", b"web app app1 80 0123abcd"),
        ("{{client}} 5%{path}", b"{client} 5%/a/b"),
        ("J\u00f6rg", b"J\xc3\xb6rg"),
        ("{sni}", b"-"),
    ],
)
def test_what_placeholders_stand_for(text: str, rendered: bytes) -> None:
    assert template(text).render(FixedAsker(), HEAD) == rendered


@pytest.mark.parametrize(("sni", "rendered"), [("a.example.org", b"a.example.org"), ("a\r\nX: y", b"-"), (None, b"-")])
def test_a_server_name_cannot_break_a_line(sni: str | None, rendered: bytes) -> None:
    assert template("{sni}").render(FixedAsker(sni=sni), HEAD) == rendered


def test_a_client_that_names_no_host() -> None:
    head = head_of("/", version="1.0", host="")
    assert template("{host} {hostname}").render(FixedAsker(), head) == b"192.0.2.100 192.0.2.100"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{clint}", "{clint} is not one of {client}, "),
        ("{server}", "is not one of"),
        ("a { b", "write {{ for a {"),
        ("a } b", "write }} for a }"),
        ("a\r\nb", "control characters"),
        ("a\x7f", "control characters"),
    ],
)
def test_what_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        template(text, IN_REQUESTS)


@pytest.mark.parametrize(
    ("host", "name"),
    [(b"A", b"a"), (b"a:80", b"a"), (b"a.:80", b"a"), (b"[::1]", b"[::1]"), (b"[::1]:8", b"[::1]"), (b"", b"")],
)
def test_host_name(host: bytes, name: bytes) -> None:
    assert host_name(host) == name


def test_a_head_is_not_needed_for_plain_text() -> None:
    nobody: RequestHead = head_of()
    assert template("x").parts == (b"x",)
    assert template("").render(FixedAsker(), nobody) == b""
