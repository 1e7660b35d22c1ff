"""Whether a response is compressed for a client, and what its head then says (RFC 9110 sections 8.4, 12.5). Pure."""

import re
from enum import Enum

from balancer.config_compression import Compression
from balancer.http1.request import RequestHead
from balancer.http1.response import ResponseHead

_ACCEPT = re.compile(rb"\naccept-encoding:([^\r]*+)", re.IGNORECASE)
_FIELD = re.compile(
    rb"\n(content-type|content-encoding|content-range|content-length|cache-control|vary|etag):[ \t]*+([^\r]*+)",
    re.IGNORECASE,
)
_NO_TRANSFORM = re.compile(rb"\n(?:cache-control|pragma):[^\r]*?\bno-transform\b", re.IGNORECASE)
_WEIGHT = re.compile(rb"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)
# What is said of the bytes as the server sent them. Ranges of what is made here cannot be had.
_UNTRUE = re.compile(
    rb"\n(?:content-length|accept-ranges|content-md5|digest|content-digest|repr-digest):[^\n]*+(?=\n)", re.IGNORECASE
)
_STRONG_TAG = re.compile(rb'\n(etag):[ \t]*+(?=")', re.IGNORECASE)
_WITHOUT = frozenset((204, 206, 304))


class Plan(Enum):
    """What becomes of a response."""

    AS_IS = 0
    VARY = 1
    """It stays as it is, and caches are told that another client might get it compressed."""
    GZIP = 2


def accepts_gzip(fields: bytes) -> bool:
    """Whether a client with these field lines takes gzip, and does not like it less than no coding at all."""
    weights: dict[bytes, float] = {}
    for value in _ACCEPT.findall(fields):
        for member in value.lower().split(b","):
            coding, *parameters = (part.strip(b" \t") for part in member.split(b";"))
            if coding:
                weights[coding] = _weight(parameters)
    gzip = weights.get(b"gzip", weights.get(b"x-gzip", weights.get(b"*", 0.0)))
    return gzip > 0.0 and gzip >= weights.get(b"identity", 0.0)


def _weight(parameters: list[bytes]) -> float:
    """What cannot be understood is taken for a no."""
    if not parameters:
        return 1.0
    match = _WEIGHT.fullmatch(parameters[0]) if len(parameters) == 1 else None
    return float(match[1]) if match else 0.0


class Chooser:
    """Chooses what to compress, by one configuration."""

    __slots__ = ("_exact", "_kinds", "_minimum")

    def __init__(self, config: Compression) -> None:
        types = [one.encode("ascii") for one in config.types if config.enabled]
        self._exact = frozenset(types)
        self._kinds = tuple(one[:-1] for one in types if one.endswith(b"/*"))
        self._minimum = config.minimum_bytes

    def plan(self, head: RequestHead, response: ResponseHead) -> Plan:
        """For a final response to a request."""
        size = response.body
        if size == 0 or 0 < size < self._minimum or head.method == b"HEAD" or response.status in _WITHOUT:
            return Plan.AS_IS
        said = {name.lower(): value for name, value in _FIELD.findall(response.fields)}
        if b"content-encoding" in said or b"content-range" in said or not self._is_type(said.get(b"content-type", b"")):
            return Plan.AS_IS
        if _NO_TRANSFORM.search(response.fields):
            return Plan.AS_IS
        accepts = accepts_gzip(head.fields) and not _NO_TRANSFORM.search(head.fields)
        return Plan.GZIP if accepts else Plan.VARY

    def _is_type(self, value: bytes) -> bool:
        media_type = value.partition(b";")[0].strip(b" \t").lower()
        return media_type in self._exact or media_type.startswith(self._kinds)


def varied(response: ResponseHead) -> ResponseHead:
    """With Vary: Accept-Encoding."""
    named = b",".join(value for name, value in _FIELD.findall(response.passing) if name.lower() == b"vary").lower()
    if b"*" in named or b"accept-encoding" in named:
        return response
    return response._replace(passing=response.passing[:-2] + b"Vary: Accept-Encoding\r\n\r\n")


def compressed(response: ResponseHead, length: int | None) -> ResponseHead:
    """The head of the same response with gzip applied, and of `length` bytes where that is known.

    A strong ETag is of other bytes than are sent: it goes on as a weak one.
    """
    passing = _STRONG_TAG.sub(rb"\n\1: W/", _UNTRUE.sub(b"", varied(response).passing))
    passing = passing[:-2] + b"Content-Encoding: gzip\r\n\r\n"
    return response._replace(passing=passing, length=length, adds=length is not None or bool(response.upgrade))
