"""Scalars of the configuration, as they are written."""

import pytest

from balancer.fieldtypes import (
    Endpoint,
    OneOrMore,
    Shorthand,
    Switch,
    Text,
    parse_byte_rate,
    parse_duration,
    parse_rate,
    parse_size,
    without_unit,
)


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("2s", 2.0), ("1.5m", 90.0), ("1h", 3600.0), ("0s", 0.0), ("0.5s", 0.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "2", "s", "2 s", "-1s", "+1s", "1_0s", "1.s", ".5s", "1S", "1d", "1e3s", "٢s", "2s\n"]
)
def test_not_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write a number and ms, s, m or h, for example 250ms"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "count"), [("512B", 512), ("64KiB", 65_536), ("1MiB", 1_048_576), ("2GiB", 2_147_483_648)]
)
def test_sizes(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "64", "64KB", "64k", "1.5KiB", "-1B", "1_0B", "64 KiB", "٢B"])
def test_not_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size; write a whole number and B, KiB, MiB or GiB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "endpoint", "shown"),
    [
        ("192.0.2.1:80", Endpoint("192.0.2.1", 80), "192.0.2.1:80"),
        ("[2001:db8::1]:65535", Endpoint("2001:db8::1", 65535), "[2001:db8::1]:65535"),
        ("[2001:DB8:0:0:0:0:0:1]:80", Endpoint("2001:db8::1", 80), "[2001:db8::1]:80"),
    ],
)
def test_endpoints(text: str, endpoint: Endpoint, shown: str) -> None:
    assert Endpoint.parse(text) == endpoint
    assert str(endpoint) == shown


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not ADDRESS:PORT"),
        ("192.0.2.1", "is not ADDRESS:PORT"),
        (":80", "is not ADDRESS:PORT"),
        ("example.org:80", "is not an IP address"),
        ("192.0.2.256:80", "is not an IP address"),
        ("192.0.2.01:80", "is not an IP address"),
        ("2001:db8::1:80", "an IPv6 address and a port are written"),
        ("[192.0.2.1]:80", "an IPv6 address and a port are written"),
        ("192.0.2.1:0", "is not a port"),
        ("192.0.2.1:65536", "is not a port"),
        ("192.0.2.1:+80", "is not a port"),
        ("192.0.2.1:8_0", "is not a port"),
        ("192.0.2.1:٨", "is not a port"),
    ],
)
def test_not_endpoints(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Endpoint.parse(text)


@pytest.mark.parametrize(("text", "per_s"), [("10/s", 10.0), ("90/m", 1.5), ("1800/h", 0.5), ("0.5/s", 0.5)])
def test_rates(text: str, per_s: float) -> None:
    assert parse_rate(text) == per_s


@pytest.mark.parametrize("text", ["10", "10/d", "0/s", "-1/s", "1_0/s", ""])
def test_not_rates(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        parse_rate(text)


@pytest.mark.parametrize(("text", "per_s"), [("500B/s", 500.0), ("2KiB/s", 2048.0)])
def test_byte_rates(text: str, per_s: float) -> None:
    assert parse_byte_rate(text) == per_s


@pytest.mark.parametrize("text", ["500B", "500/s", "0B/s", "1.5KiB/s"])
def test_not_byte_rates(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        parse_byte_rate(text)


def test_a_port_alone_listens_on_everything() -> None:
    assert Endpoint.parse_ports("[2001:db8::1]:5000-5099") == Endpoint("2001:db8::1", 5000, 100)
    assert str(Endpoint("192.0.2.1", 5000, 100)) == "192.0.2.1:5000-5099"
    assert Endpoint.parse_ports("unix:/x:1-2") == Endpoint("/x:1-2", 0)
    assert Endpoint.parse_ports(":80") == Endpoint("::", 80)
    for text in ("192.0.2.1:5099-5000", "192.0.2.1:5000-5000", "192.0.2.1:1-65536", "192.0.2.1:80-"):
        with pytest.raises(ValueError, match=r"lower port first|not a port|not ADDRESS|not an IP"):
            Endpoint.parse_ports(text)
    assert Endpoint.parse_listen(":80") == Endpoint("::", 80)
    assert Endpoint.parse_listen("192.0.2.1:80") == Endpoint("192.0.2.1", 80)
    with pytest.raises(ValueError, match="is not a port"):
        Endpoint.parse_listen(":http")


@pytest.mark.parametrize(
    ("field", "key"), [("interval_s", "interval"), ("head_bytes", "head"), ("rise", "rise"), ("address", "address")]
)
def test_keys_leave_out_the_unit(field: str, key: str) -> None:
    assert without_unit(field) == key


def test_a_text_is_described_to_a_decoder() -> None:
    text = Text(parse_duration, "[0-9]+s", "2s")
    decode = text.__get_pydantic_core_schema__(float, lambda source: source)["function"]["function"]
    assert decode("2s") == 2.0
    with pytest.raises(ValueError, match="2 has no unit; write for example 2s"):
        decode(2)
    with pytest.raises(ValueError, match="write it as text, for example 2s"):
        decode(True)
    assert text.__get_pydantic_json_schema__(None, lambda schema: schema) == {
        "type": "string",
        "pattern": "^[0-9]+s$",
        "examples": ["2s"],
    }


def test_a_shorthand_is_described_to_a_decoder() -> None:
    schema = Shorthand("address").__get_pydantic_core_schema__(None, lambda source: {"type": "any"})
    expand = schema["function"]["function"]
    assert expand("192.0.2.1:80") == {"address": "192.0.2.1:80"}
    assert expand({"address": "x"}) == {"address": "x"}
    assert Shorthand("address").__get_pydantic_json_schema__(schema, lambda inner: inner) == {
        "anyOf": [{"type": "string"}, {"type": "any"}]
    }


def test_a_list_may_be_written_as_its_one_member() -> None:
    schema = OneOrMore().__get_pydantic_core_schema__(None, lambda source: {"type": "any"})
    expand = schema["function"]["function"]
    assert (expand("a"), expand(["a", "b"]), expand({"a": 1}), expand(None)) == (
        ("a",), ("a", "b"), ({"a": 1},), (None,)
    )  # fmt: skip
    several = {"schema": {"type": "array", "items": {"type": "string"}}}
    assert OneOrMore().__get_pydantic_json_schema__(several, lambda inner: inner) == {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
    }


def test_a_table_may_be_switched_on_and_off() -> None:
    schema = Switch("page").__get_pydantic_core_schema__(None, lambda source: {"type": "any"})
    expand = schema["function"]["function"]
    assert (expand(True), expand(False), expand("a"), expand({"page": "b"})) == ({}, None, {"page": "a"}, {"page": "b"})
    inside = {"schema": {"type": "object"}}
    assert Switch("page").__get_pydantic_json_schema__(inside, lambda inner: inner) == {
        "anyOf": [{"type": "boolean"}, {"type": "string"}, {"type": "object"}]
    }


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("app.internal:80", "app.internal"),
        ("App.Internal.:80", "app.internal"),
        ("web1:80", "web1"),
        ("1app:80", "1app"),
        ("_app._tcp.internal:80", "_app._tcp.internal"),
    ],
)
def test_a_server_may_have_a_name(text: str, host: str) -> None:
    endpoint = Endpoint.parse_server(text)
    assert (endpoint, endpoint.is_name) == (Endpoint(host, 80), True)


@pytest.mark.parametrize(
    "text", ["192.0.2.300:80", "300:80", "a..b:80", "-a:80", "app.internal", "app.internal:0", "a b:80"]
)
def test_what_is_neither_name_nor_address(text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        Endpoint.parse_server(text)


@pytest.mark.parametrize("text", ["192.0.2.1:80", "[2001:db8::1]:80", "unix:/run/app"])
def test_addresses_of_servers_are_no_names(text: str) -> None:
    assert (Endpoint.parse_server(text), Endpoint.parse_server(text).is_name) == (Endpoint.parse(text), False)
