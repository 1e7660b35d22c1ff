"""Scalars of the configuration: durations, sizes, endpoints. Pure.

`Text` is the one bridge to whoever decodes a configuration file. It speaks pydantic's core-schema protocol with plain
dictionaries, so that this library needs no pydantic: a decoder that knows the protocol reads `250ms` into 0.25, any
other code sees an ordinary float.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Self

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SIZE = re.compile(r"([0-9]+)(B|KiB|MiB|GiB)")
_RATE = re.compile(r"([0-9]+)(B|KiB|MiB|GiB)/s")
_PER = re.compile(r"([0-9]+(?:\.[0-9]+)?)/(s|m|h)")
_UNIT = re.compile(r"[0-9]+/?[A-Za-z]+(?:/s)?")
"""A value that is a number and its unit."""
_LONGEST_PATH = 107
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}")
"""A host name, or that of a service (`_http._tcp`). What ends with digits alone is an address."""
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_PORTS = re.compile(r"(.*):([1-9][0-9]{0,4})-([1-9][0-9]{0,4})")


@dataclass(frozen=True, slots=True)
class Text:
    """A value that is written as text in a file: `parse` turns it into the value or raises ValueError."""

    parse: Callable[[str], Any]
    pattern: str
    example: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        def decode(value: object) -> Any:
            if type(value) in (int, float) and _UNIT.fullmatch(self.example):
                raise ValueError(f"{value} has no unit; write for example {self.example}")
            if not isinstance(value, str):
                raise ValueError(f"write it as text, for example {self.example}")
            return self.parse(value)

        return {"type": "function-plain", "function": {"type": "no-info", "function": decode}}

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern}$", "examples": [self.example]}


@dataclass(frozen=True, slots=True)
class Shorthand:
    """A table that may be written as one scalar: `web1: 10.0.0.1:80` for `web1: {address: "10.0.0.1:80"}`."""

    key: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        def expand(value: object) -> object:
            return {self.key: value} if isinstance(value, str) else value

        return {
            "type": "function-before",
            "function": {"type": "no-info", "function": expand},
            "schema": handler(source),
        }

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(schema["schema"])]}


@dataclass(frozen=True, slots=True)
class OneOrMore:
    """A list that may be written as its one member: `host: a.example.org` for `host: [a.example.org]`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        def expand(value: object) -> object:
            return tuple(value) if isinstance(value, list) else (value,)

        return {
            "type": "function-before",
            "function": {"type": "no-info", "function": expand},
            "schema": handler(source),
        }

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        several = handler(schema["schema"])
        return {"anyOf": [several["items"], several]}


@dataclass(frozen=True, slots=True)
class Switch:
    """A table that may be written `true` for one with every default, `false` for none, or as one scalar of a `key`."""

    key: str | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        def expand(value: object) -> object:
            if isinstance(value, bool):
                return {} if value else None
            return {self.key: value} if self.key and isinstance(value, str) else value

        return {
            "type": "function-before",
            "function": {"type": "no-info", "function": expand},
            "schema": handler(source),
        }

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        scalar = [{"type": "string"}] if self.key else []
        return {"anyOf": [{"type": "boolean"}, *scalar, handler(schema["schema"])]}


def parse_duration(text: str) -> float:
    """Seconds from `250ms`, `2s`, `1.5m`, `1h`. Raises ValueError."""
    match = _DURATION.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a duration; write a number and ms, s, m or h, for example 250ms")
    return float(match[1]) * _SECONDS[match[2]]


def parse_size(text: str) -> int:
    """Bytes from `512B`, `64KiB`, `1MiB`. Raises ValueError."""
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a size; write a whole number and B, KiB, MiB or GiB, for example 64KiB")
    return int(match[1]) * _BYTES[match[2]]


def parse_byte_rate(text: str) -> float:
    """Bytes per second from `500B/s`, `64KiB/s`. Raises ValueError."""
    match = _RATE.fullmatch(text)
    if not match or not int(match[1]):
        raise ValueError(
            f"{text!r} is not a rate; write a whole number and B/s, KiB/s, MiB/s or GiB/s, for example 1KiB/s"
        )
    return float(int(match[1]) * _BYTES[match[2]])


def parse_rate(text: str) -> float:
    """Times per second from `10/s`, `100/m`, `1000/h`. Raises ValueError."""
    match = _PER.fullmatch(text)
    if not match or not float(match[1]):
        raise ValueError(f"{text!r} is not a rate; write a number and /s, /m or /h, for example 10/s")
    return float(match[1]) / _SECONDS[match[2]]


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """An IP address and a port, or a unix socket: then `host` is its path and `port` 0.

    `host` is in its family's canonical form, so that equal endpoints compare equal. A server's may be a name, which
    is where to look for its address and nowhere to connect to; with port 0 that of its SRV records.
    """

    host: str
    port: int
    ports: int = 1
    """How many, from `port` on."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `192.0.2.1:80`, `[2001:db8::1]:80`, `[fe80::1%eth0]:80` or `unix:/run/x.sock`. Raises ValueError."""
        if text.startswith("unix:"):
            return cls(_parse_path(text.removeprefix("unix:"), text), 0)
        host, colon, port = text.rpartition(":")
        if not colon or not host:
            raise ValueError(f"{text!r} is not ADDRESS:PORT, for example 192.0.2.1:80 or [2001:db8::1]:80")
        return cls(_parse_host(host, text), _parse_port(port))

    @classmethod
    def parse_listen(cls, text: str) -> Self:
        """As `parse`; `:80` listens on every address of both families. Raises ValueError."""
        return cls("::", _parse_port(text[1:])) if text.startswith(":") and text.count(":") == 1 else cls.parse(text)

    @classmethod
    def parse_ports(cls, text: str) -> Self:
        """As `parse_listen`; `192.0.2.1:5000-5099` is a range of ports. Raises ValueError."""
        match = _PORTS.fullmatch(text)
        if match is None or text.startswith("unix:"):
            return cls.parse_listen(text)
        first, last = cls.parse_listen(f"{match[1]}:{match[2]}"), _parse_port(match[3])
        if last <= first.port:
            raise ValueError(f"{text!r} must have the lower port first, for example 192.0.2.1:5000-5099")
        return cls(first.host, first.port, last - first.port + 1)

    @classmethod
    def parse_server(cls, text: str) -> Self:
        """As `parse`; `app.internal:80` is a name that is to be resolved. Raises ValueError."""
        if text.startswith("unix:"):
            return cls.parse(text)
        host, _, port = text.rpartition(":")
        name = host.lower().removesuffix(".")
        return cls(name, _parse_port(port)) if _NAME.fullmatch(name) else cls.parse(text)

    @property
    def is_unix(self) -> bool:
        return self.host.startswith("/")

    @property
    def is_name(self) -> bool:
        return not self.is_unix and ":" not in self.host and not self.host.rpartition(".")[2].isdigit()

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.host and not self.is_unix

    @property
    def last_port(self) -> int:
        return self.port + self.ports - 1

    @property
    def all_ports(self) -> range:
        return range(self.port, self.port + self.ports)

    @property
    def port_text(self) -> str:
        """`80`, or `5000-5099`."""
        return str(self.port) if self.ports == 1 else f"{self.port}-{self.last_port}"

    def __str__(self) -> str:
        if self.is_unix:
            return f"unix:{self.host}"
        if not self.port and self.is_name:
            return self.host
        return f"[{self.host}]:{self.port_text}" if self.is_ipv6 else f"{self.host}:{self.port_text}"


def _parse_host(host: str, text: str) -> str:
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        raise ValueError(f"{host!r} in {text!r} is not an IP address") from None
    if bracketed != (address.version == 6):
        raise ValueError(f"{text!r}: an IPv6 address and a port are written [2001:db8::1]:80")
    return str(address)


def _parse_path(path: str, text: str) -> str:
    if not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise ValueError(f"{text!r}: a unix socket is written with its whole path, for example unix:/run/app.sock")
    if len(path.encode()) > _LONGEST_PATH:
        raise ValueError(f"{text!r} is too long for a unix socket, whose path has at most {_LONGEST_PATH} bytes")
    return path


def _parse_port(text: str) -> int:
    if not _PORT.fullmatch(text) or int(text) > 65535:
        raise ValueError(f"{text!r} is not a port; write a number from 1 to 65535")
    return int(text)


def parse_service(text: str) -> Endpoint:
    """The name of SRV records (RFC 2782), `_http._tcp.app.internal`. Raises ValueError."""
    name = text.lower().removesuffix(".")
    if not _NAME.fullmatch(name) or not name.startswith("_"):
        raise ValueError(f"{text!r} is not the name of SRV records, for example _http._tcp.app.internal")
    return Endpoint(name, 0)


def without_unit(field_name: str) -> str:
    """The key in a file for a field whose name carries its unit: `interval_s` is written `interval`."""
    for unit in ("_s", "_bytes"):
        if field_name.endswith(unit):
            return field_name.removesuffix(unit)
    return field_name


STRICT: dict[str, Any] = {"extra": "forbid", "alias_generator": without_unit, "strict": True}
"""How a decoder is to read the types of a configuration."""

Texts = Annotated[tuple[str, ...], OneOrMore()]
Seconds = Annotated[float, Text(parse_duration, _DURATION.pattern, "250ms")]
ByteCount = Annotated[int, Text(parse_size, _SIZE.pattern, "64KiB")]
PerSecond = Annotated[float, Text(parse_rate, _PER.pattern, "10/s")]
ByteRate = Annotated[float, Text(parse_byte_rate, _RATE.pattern, "1KiB/s")]
ServerEndpoint = Annotated[Endpoint, Text(Endpoint.parse, r".+:[1-9][0-9]{0,4}|unix:/.+", "192.0.2.1:80")]
ServerAddress = Annotated[Endpoint, Text(Endpoint.parse_server, r".+:[1-9][0-9]{0,4}|unix:/.+", "192.0.2.1:80")]
ListenEndpoint = Annotated[Endpoint, Text(Endpoint.parse_listen, r".*:[1-9][0-9]{0,4}|unix:/.+", "192.0.2.1:80")]
ListenPorts = Annotated[
    Endpoint, Text(Endpoint.parse_ports, r".*:[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?|unix:/.+", "192.0.2.1:80")
]
"""One port, or a range of ports."""
