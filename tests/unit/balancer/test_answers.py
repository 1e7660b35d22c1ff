"""Answers of our own, as bytes."""

import pytest

from balancer import answers
from balancer.config_headers import HeaderRules
from balancer.config_routes import Maintenance, Redirect, Respond
from balancer.edits import edits
from balancer.http1.request import RequestHead
from tests.unit.balancer.asking import FixedAsker, head_of

HEAD = head_of("/a?b=1", host="example.org:80")
FILES = {"sorry.html": b"<p>sorry", "logo.PNG": b"\x89PNG", "x": b"text"}


def rendered(answer: answers.Answer, head: RequestHead = HEAD, *, keep_alive: bool = True) -> bytes:
    return answer.render(FixedAsker(), head, keep_alive=keep_alive, edits=None)


@pytest.mark.parametrize(
    ("to", "target", "location"),
    [
        ("https://{hostname}{target}", "/a?b=1", b"https://example.org/a?b=1"),
        ("{scheme}://{host}/new", "/a", b"http://example.org:80/new"),
        ("/new{path}", "/a?b=1", b"/new/a"),
        ("{target}", "//evil.example/x", b"/evil.example/x"),
        ("{target}", "/\\evil.example/x", b"/evil.example/x"),
        ("/{path}", "/evil.example/x", b"/evil.example/x"),
        ("//other.example{path}", "/a", b"//other.example/a"),
    ],
)
def test_a_redirect(to: str, target: str, location: bytes) -> None:
    answer = answers.redirect(Redirect(to=to, status=301))
    assert rendered(answer, head_of(target, host="example.org:80")) == (
        b"HTTP/1.1 301 Moved Permanently\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"
    )


def test_how_the_connection_goes_on_is_said() -> None:
    answer = answers.redirect(Redirect(to="/x"))
    start = b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n"
    assert rendered(answer, keep_alive=False) == start + b"Connection: close\r\n\r\n"
    assert rendered(answer, head_of(version="1.0")) == start + b"Connection: keep-alive\r\n\r\n"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            Respond(body="hello {client}"),
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 14\r\n\r\nhello {client}",
        ),
        (Respond(status=204), b"HTTP/1.1 204 No Content\r\n\r\n"),
        (Respond(status=299), b"HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n"),
        (
            Respond(status=503, body_file="sorry.html", headers={"X-Who": "{client}"}),
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html; charset=utf-8\r\nX-Who: 192.0.2.7\r\n"
            b"Content-Length: 8\r\n\r\n<p>sorry",
        ),
        (
            Respond(body_file="logo.PNG"),
            b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\n\x89PNG",
        ),
        (
            Respond(body="{}", content_type="application/json"),
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        ),
        (
            Respond(body="x", headers={"content-type": "a/b"}),
            b"HTTP/1.1 200 OK\r\ncontent-type: a/b\r\nContent-Length: 1\r\n\r\nx",
        ),
    ],
)
def test_a_fixed_answer(config: Respond, expected: bytes) -> None:
    assert rendered(answers.respond(config, FILES)) == expected


def test_a_head_gets_no_body() -> None:
    answer = answers.respond(Respond(body="hello"), FILES)
    assert rendered(answer, head_of(method="HEAD")).endswith(b"Content-Length: 5\r\n\r\n")


def test_a_refusal_by_rule() -> None:
    assert rendered(answers.deny(403)) == (
        b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
        b"Content-Length: 14\r\n\r\n403 Forbidden\n"
    )
    assert b"\r\nAllow: GET, HEAD," in rendered(answers.deny(405))
    shown = rendered(answers.deny(403, answers.page(FILES, "sorry.html")))
    assert shown.endswith(b"Content-Length: 8\r\n\r\n<p>sorry")


def test_a_maintenance_page() -> None:
    answer = answers.maintenance(Maintenance(page="sorry.html", retry_after_s=60.0), FILES)
    assert answer.status == 503
    assert rendered(answer) == (
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 60\r\nContent-Type: text/html; charset=utf-8\r\n"
        b"Cache-Control: no-store\r\nContent-Length: 8\r\n\r\n<p>sorry"
    )
    assert rendered(answers.maintenance(Maintenance(), {})).endswith(b"\r\n\r\n503 Service Unavailable\n")


def test_a_text_for_one_request() -> None:
    assert rendered(answers.text(200, "a/b", b"x%")).endswith(b"Content-Length: 2\r\n\r\nx%")


def test_a_file_that_nobody_has_read() -> None:
    with pytest.raises(ValueError, match="the file y was not read"):
        answers.page(FILES, "y")


def test_header_rules_hold_for_our_answers_too() -> None:
    rules = edits((HeaderRules(set_headers={"Content-Type": "c/d", "X": "{server}"}),), of_requests=False)
    answer = answers.respond(Respond(body="x"), FILES)
    assert answer.render(FixedAsker(), HEAD, keep_alive=True, edits=rules) == (
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Type: c/d\r\nX: app1\r\n\r\nx"
    )
