"""How single values of hapair.yaml are written: addresses, interfaces, commands; what may differ by node. Pure.

Each annotation speaks pydantic's core-schema protocol with plain dictionaries, as `balancer.fieldtypes.Text` does.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from balancer.fieldtypes import Text
from vrrp.config import Address, unusable
from vrrp.config import Vip as VipAddress

EVERY_NODE = "*"
_INTERFACE_NAME = re.compile(r"(?!\.{1,2}$)[!-.0-9;-~]{1,15}")  # without / and :, and not . or ..

Value = TypeVar("Value")


def on_node(values: Mapping[str, Value], node: str) -> Value:
    """One node's value of what is written once for all nodes, or once for each."""
    return values[node] if node in values else values[EVERY_NODE]


@dataclass(frozen=True, slots=True)
class PerNode:
    """A value for every node, or a table with one for each: `eth0`, or `{pi-a: eth0, pi-b: end0}`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        def expand(value: object) -> object:
            return value if isinstance(value, dict) else {EVERY_NODE: value}

        return _before(expand, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        table = handler(schema["schema"])
        return {"anyOf": [table["additionalProperties"], table]}


@dataclass(frozen=True, slots=True)
class Names:
    """A table of tables that may be written as a list of names: `[eth1]` for `{eth1: {}}`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        def expand(value: object) -> object:
            if isinstance(value, list) and all(isinstance(name, str) for name in value):
                return {name: {} for name in value}
            return value

        return _before(expand, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        return {"anyOf": [{"type": "array", "items": {"type": "string"}}, handler(schema["schema"])]}


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few values of several types, for example `true`, `false` or `permissive`."""

    values: tuple[bool | str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        def decode(value: object) -> object:
            if type(value) not in (bool, str) or value not in self.values:
                raise ValueError(f"must be {self.words}")
            return value

        return {"type": "function-plain", "function": {"type": "no-info", "function": decode}}

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        return {"enum": list(self.values)}

    @property
    def words(self) -> str:
        """`true, false or permissive`"""
        written = [str(value).lower() if isinstance(value, bool) else value for value in self.values]
        return f"{', '.join(written[:-1])} or {written[-1]}"


@dataclass(frozen=True, slots=True)
class WitnessList:
    """`gateway`, one address, or a list of addresses."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        return {"type": "function-plain", "function": {"type": "no-info", "function": _parse_witness}}

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        one = {"type": "string", "pattern": "^[0-9a-fA-F.:]+$"}
        return {"anyOf": [{"const": "gateway"}, one, {"type": "array", "items": one, "minItems": 1}]}


def _before(expand: Callable[[object], object], schema: Any) -> dict[str, Any]:
    return {"type": "function-before", "function": {"type": "no-info", "function": expand}, "schema": schema}


def _parse_witness(value: object) -> tuple[Address, ...] | str:
    if value == "gateway":
        return "gateway"
    texts = [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]
    if not texts or (isinstance(value, list) and len(texts) < len(value)):
        raise ValueError("write gateway, or a list of addresses, for example [192.0.2.1]")
    if len(set(texts)) != len(texts):
        raise ValueError("the same address is listed twice")
    return tuple(_parse_address(text) for text in texts)


def _parse_address(text: str) -> Address:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None
    if "%" in text:
        raise ValueError(f"{text!r}: leave out what follows the %; the interface is known")
    return address


def _parse_node_address(text: str) -> str:
    return str(_parse_address(text))


def _parse_vip(text: str) -> VipAddress:
    try:
        vip = ipaddress.ip_interface(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is not an IP address with its prefix, for example 192.0.2.100/24 or 2001:db8::100/64"
        ) from None
    if "/" not in text:
        raise ValueError(
            f"{text!r} lacks the prefix of its network, for example {text}/{24 if vip.version == 4 else 64}"
        )
    if "%" in text:
        raise ValueError(f"{text!r}: leave out what follows the %; the interface is known")
    if unusable(vip):
        raise ValueError(f"{text!r} cannot be a virtual IP address")
    return vip


def check_interface(text: str) -> str:
    """The name of a network interface as it is. Raises ValueError."""
    if not _INTERFACE_NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not a name of a network interface, for example eth0")
    return text


def _parse_path(text: str) -> str:
    if not text.startswith("/") or not text.isprintable():
        raise ValueError(f"{text!r} is not a whole path, for example /etc/hapair/away")
    return text


def check_command(key: str, command: tuple[str, ...]) -> None:
    """Raise ValueError where a list cannot be what execve(2) takes. There is no shell, and no search in PATH."""
    if not command or not command[0].startswith("/"):
        raise ValueError(
            f"{key} must begin with the whole path of a program, for example [/usr/local/bin/example, now]"
        )
    if any("\0" in word for word in command):
        raise ValueError(f"{key} must not hold a zero byte")


NodeAddress = Annotated[str, Text(_parse_node_address, r"[0-9a-fA-F.:]+", "192.0.2.11")]
HostAddress = Annotated[Address, Text(_parse_address, r"[0-9a-fA-F.:]+", "192.0.2.1")]
Vip = Annotated[VipAddress, Text(_parse_vip, r"[0-9a-fA-F.:]+/[0-9]+", "192.0.2.100/24")]
InterfaceName = Annotated[str, Text(check_interface, _INTERFACE_NAME.pattern, "eth0")]
FilePath = Annotated[str, Text(_parse_path, r"/.*", "/etc/hapair/away")]
Witness = Annotated[tuple[Address, ...] | Literal["gateway"], WitnessList()]
Authenticate = Annotated[bool | Literal["permissive"], OneOf((True, False, "permissive"))]
