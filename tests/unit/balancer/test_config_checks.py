"""What a check may say."""

from typing import Any

import pytest

from balancer.config_checks import AgentCheck, Check, CheckStep, CheckTls, parse_status_ranges


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("200", (range(200, 201),)),
        ("200-399", (range(200, 400),)),
        ("200,204, 301-302", (range(200, 201), range(204, 205), range(301, 303))),
    ],
)
def test_status_ranges(text: str, ranges: tuple[range, ...]) -> None:
    assert parse_status_ranges(text) == ranges


@pytest.mark.parametrize("text", ["", "2xx", "99", "600", "399-200", "200-", "200,,204", "200;204"])
def test_not_status_ranges(text: str) -> None:
    with pytest.raises(ValueError, match="is not a set of status codes"):
        parse_status_ranges(text)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"http": "GET /", "tcp": "connect"}, "either http or tcp, not both"),
        ({"http": "/healthz"}, "is not a request"),
        ({"http": "CONNECT /healthz"}, "is not a request"),
        ({"http": "get /healthz"}, "is not a request"),
        ({"redis": "ping", "grpc": "health"}, "either redis or grpc, not both"),
        ({"http": "GET /", "steps": (CheckStep(expect="x"),)}, "steps must not be given with a http check"),
        ({"tcp": "connect", "expect_body": "x"}, "expect_body must not be given with a tcp check"),
        ({"redis": "ping", "user": "x"}, "user must not be given with a redis check"),
        ({"dns": "a", "tls": CheckTls()}, "tls must not be given with a dns check"),
        ({"postgres": "startup"}, "postgres needs a user"),
        ({"dns": "a b c"}, "dns must be a name and a type"),
        ({"dns": "example.org XY"}, "dns must be a name and a type"),
        ({"script": ("probe",)}, "whole path of a program"),
        ({"http": "GET /", "headers": {"X Y": "z"}}, "headers must be names and values"),
        ({"http": "GET /", "headers": {"X": "a\r\nb"}}, "headers must be names and values"),
        ({"http": "GET /", "expect_body_regex": "("}, "expect_body_regex must be a regular expression"),
        ({"address": "example.org"}, "address must be an IP address"),
        ({"jitter_percent": 51}, "jitter_percent must be from 0 to 50"),
        ({"error_limit": 0}, "error_limit must be at least 1"),
        ({"http": "GET /a b"}, "is not a request"),
        ({"http": "GET /\r\nX: y"}, "is not a request"),
        ({"host": "a b"}, "is not a host name"),
        ({"port": 0}, "port must be from 1 to 65535"),
        ({"port": 65536}, "port must be from 1 to 65535"),
        ({"rise": 0}, "rise and fall must be at least 1"),
        ({"fall": 0}, "rise and fall must be at least 1"),
        ({"interval_s": 0.001}, "at least 10ms"),
        ({"fast_interval_s": 0.0}, "at least 10ms"),
        ({"down_interval_s": 0.0}, "at least 10ms"),
        ({"timeout_s": 0.0}, "at least 10ms"),
        ({"expect": "ok"}, "is not a set of status codes"),
    ],
)
def test_a_check_refuses(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Check(**fields)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({}, "something to send or to expect"),
        ({"send": "a", "send_hex": "61"}, "either text or hex"),
        ({"expect": "a", "expect_regex": "a"}, "not two of them"),
        ({"expect": ""}, "must not be empty"),
        ({"send_hex": "6"}, "send_hex must be bytes in hexadecimal"),
        ({"expect_hex": "zz"}, "expect_hex must be bytes in hexadecimal"),
        ({"expect_regex": "["}, "expect_regex must be a regular expression"),
    ],
)
def test_a_step_refuses(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        CheckStep(**fields)


def test_a_step_is_text_hex_or_a_regex() -> None:
    assert CheckStep(send="a\r\n").data == b"a\r\n"
    assert CheckStep(send_hex="00 ff").data == b"\0\xff"
    assert [bool(step.pattern and step.pattern.search(b"+OK\0")) for step in (
        CheckStep(expect="OK"), CheckStep(expect="O."), CheckStep(expect_regex="O.$"), CheckStep(expect_hex="4b00"),
        CheckStep(send="x"),
    )] == [True, False, False, True, False]  # fmt: skip


@pytest.mark.parametrize(
    ("check", "kind"),
    [
        (Check(), "tcp"),
        (Check(tls=CheckTls()), "tls"),
        (Check(tls=CheckTls(), steps=(CheckStep(expect="x"),)), "tcp"),
        (Check(tls=CheckTls(), http="GET /"), "http"),
        (Check(script=("/bin/true",)), "script"),
        (Check(udp=CheckStep(send="x")), "udp"),
    ],
)
def test_what_kind_a_check_is(check: Check, kind: str) -> None:
    assert check.kind == kind


@pytest.mark.parametrize("fields", [{"port": 0}, {"interval_s": 0.0}, {"timeout_s": 0.001}])
def test_an_agent_refuses(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        AgentCheck(**fields)


def test_a_certificate_authority_has_a_whole_path() -> None:
    with pytest.raises(ValueError, match="whole path"):
        CheckTls(ca_file="ca.pem")
