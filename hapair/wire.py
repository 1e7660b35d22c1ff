"""Dataclasses to JSON and back, driven by their types: what the processes of a node say to each other. Pure.

The announcer and the workers must not pay for a validation library, and both ends are this program, so a small decoder
is enough: it accepts exactly what the annotated types say, and anything else is a WireError.
"""

import dataclasses
import ipaddress
import json
import types
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

_ADDRESSES = (ipaddress.IPv4Interface, ipaddress.IPv6Interface, ipaddress.IPv4Address, ipaddress.IPv6Address)


class WireError(Exception):
    """Bytes that are not one of the messages that this end knows."""


def encode(message: object) -> bytes:
    """JSON of a dataclass with its type's name."""
    body = {"type": type(message).__name__, "body": to_plain(message)}
    return json.dumps(body, separators=(",", ":")).encode()


def decode(data: bytes, known: Mapping[str, type]) -> Any:
    """The message. Raises WireError."""
    try:
        document = json.loads(data)
        kind = known[document["type"]]
        return from_plain(document["body"], kind)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise WireError(f"{type(error).__name__}: {error}") from error


def to_plain(value: Any) -> Any:
    """Dataclasses as tables, tuples and sets as lists, addresses as text, bytes as hexadecimal text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(one) for key, one in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(to_plain(one) for one in value)
    if isinstance(value, (tuple, list)):
        return [to_plain(one) for one in value]
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, _ADDRESSES) else value


def from_plain(value: Any, kind: Any) -> Any:
    """A value of type `kind`. Raises ValueError, TypeError, KeyError or OverflowError."""
    return _decoder(kind)(value)


@cache
def _decoder(kind: Any) -> Callable[[Any], Any]:
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _decoder(args[0])
    if origin in (Union, types.UnionType):
        return _union(args)
    if origin is Literal:
        return _literal(args)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(args[1])
    if origin in (tuple, frozenset, list):
        return _sequence(origin, args[0])
    if kind in _ADDRESSES:
        return lambda value: kind(_exactly(value, str))
    if kind is bytes:
        return lambda value: bytes.fromhex(_exactly(value, str))
    return lambda value: _exactly(value, kind)


def _exactly(value: Any, kind: Any) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if kind in (Any, object) or type(value) is kind or (kind is type(None) and value is None):
        return value
    raise TypeError(f"{value!r} is not {kind}")


def _union(args: Sequence[Any]) -> Callable[[Any], Any]:
    decoders = [_decoder(arg) for arg in args]

    def decode_union(value: Any) -> Any:
        for one in decoders:
            try:
                return one(value)
            except (TypeError, ValueError, KeyError, OverflowError):
                continue
        raise TypeError(f"{value!r} is none of {args}")

    return decode_union


def _literal(args: Sequence[Any]) -> Callable[[Any], Any]:
    def decode_literal(value: Any) -> Any:
        if value not in args:
            raise ValueError(f"{value!r} is none of {args}")
        return value

    return decode_literal


def _dataclass(kind: Any) -> Callable[[Any], Any]:
    hints = get_type_hints(kind, include_extras=True)
    names = [field.name for field in dataclasses.fields(kind) if field.init]
    decoders: dict[str, Callable[[Any], Any]] = {}

    def decode_dataclass(value: Any) -> Any:
        if not decoders:  # on first use, so that a type may hold itself
            decoders.update({name: _decoder(hints[name]) for name in names})
        if type(value) is not dict or not value.keys() <= decoders.keys():
            raise TypeError(f"{value!r} is not {kind.__name__}")
        return kind(**{name: decoders[name](one) for name, one in value.items()})

    return decode_dataclass


def _mapping(kind: Any) -> Callable[[Any], Any]:
    one = _decoder(kind)

    def decode_mapping(value: Any) -> Any:
        if type(value) is not dict:
            raise TypeError(f"{value!r} is not a table")
        return {key: one(item) for key, item in value.items()}

    return decode_mapping


def _sequence(origin: Any, kind: Any) -> Callable[[Any], Any]:
    one = _decoder(kind)

    def decode_sequence(value: Any) -> Any:
        if type(value) is not list:
            raise TypeError(f"{value!r} is not a list")
        return origin(one(item) for item in value)

    return decode_sequence
