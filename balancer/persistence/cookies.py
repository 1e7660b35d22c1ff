"""Tokens in the heads of requests and responses: found, taken out, put in (RFC 6265). Pure.

insert     Set-Cookie: NAME=TOKEN                  ours alone
rewrite    Set-Cookie: NAME=TOKEN                  in place of the value that the server gave
prefix     Set-Cookie: NAME=TOKEN~VALUE            in front of it; servers are told the value alone
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from balancer.config_persistence import CookieSettings
from balancer.http1.request import RequestHead
from balancer.http1.response import ResponseHead
from balancer.persistence.tokens import NOTHING, TOKEN, Reading, Tokens, Verdict

_COOKIE_LINE: Final = re.compile(rb"\n(?i:cookie):([^\r\n]*)\r")
_PRIVATE: Final = re.compile(rb"\n(?i:cache-control):[^\r\n]*\b(?i:private|no-store)\b")
SET: Final = "set"
"""Beside the names of verdicts, in counts: how often a client was given a token."""
MOVED: Final = "moved"
"""How often a token was accepted, and another server answered."""


class CookieJar:
    """The cookie of one pool."""

    def __init__(
        self,
        config: CookieSettings,
        key: bytes,
        pool: str,
        servers: Iterable[str],
        clock: Callable[[], int],
        counts: Counter[str] | None = None,
    ) -> None:
        """`clock` gives seconds since 1970. `counts`: by verdict, for requests with such a cookie."""
        self.config = config
        self.counts: Counter[str] = Counter() if counts is None else counts
        self._tokens = Tokens(key, pool, config, servers)
        self._clock = clock
        self._name = name = config.name.encode("ascii")
        value = rb"(%b)~" % TOKEN if config.mode == "prefix" else rb"([^;\"\r]*)"
        self._find = re.compile(
            rb"\n(?i:cookie):(?:[^\r]*?;)?[ \t]*%b[ \t]*=[ \t]*\"?%b" % (re.escape(name), value)
        ).search
        self._set_cookie = re.compile(rb"(\n(?i:set-cookie):[ \t]*%b[ \t]*=[ \t]*)([^;\r\n]*)" % re.escape(name))
        self._set_line = re.compile(rb"\n(?i:set-cookie):[ \t]*%b[ \t]*=[^\r\n]*\r" % re.escape(name))
        self._prefix = re.compile(rb"([ \t]*%b[ \t]*=[ \t]*\"?)(?:%b)~" % (re.escape(name), TOKEN))
        self._attributes = {secure: _attributes(config, secure=secure) for secure in (False, True)}
        self._last: tuple[bytes, Reading] = b"", NOTHING
        self.done = "N"
        """What `marked` has done last, as HAProxy's letter for its log: Nothing, Inserted, Updated, Rewritten, Deleted,
        or Passed on what the server set."""

    def read(self, fields: bytes) -> Reading:
        """What the field lines of a request say. Those of one request are read once."""
        known, reading = self._last
        if known is fields:
            return reading
        match = self._find(fields)
        reading = NOTHING if match is None else self._tokens.read(match[1].rstrip(b" \t"), self._clock())
        self._last = fields, reading
        return reading

    def code_of(self, fields: bytes) -> str:
        """As `Reading.code`; a value of the server's own, without our prefix, is invalid."""
        reading = self.read(fields)
        if reading is NOTHING and self.config.mode == "prefix":
            pairs = b";".join(_COOKIE_LINE.findall(fields)).split(b";")
            return "I" if any(map(self._is_mine, pairs)) else "N"
        return reading.code

    def stripped(self, fields: bytes, passing: bytes) -> bytes:
        """The head that goes on to a server, with what is not for it taken out. To be called once for a request."""
        config, verdict = self.config, self.read(fields).verdict
        if verdict is not Verdict.NONE:
            self.counts[verdict.value] += 1
        if config.mode == "rewrite" or (config.mode == "insert" and not config.indirect):
            return passing
        return _COOKIE_LINE.sub(self._line, passing) if self._name in passing else passing

    def _line(self, line: re.Match[bytes]) -> bytes:
        pairs: list[bytes] = line[1].split(b";")
        if self.config.mode == "prefix":
            kept = [self._prefix.sub(rb"\1", pair, count=1) if self._is_mine(pair) else pair for pair in pairs]
        else:
            kept = [pair for pair in pairs if not self._is_mine(pair)]
        if kept == pairs:
            return line[0]
        text = b";".join(kept).strip(b" \t;")
        return b"\nCookie: %b\r" % text if text else b""

    def _is_mine(self, pair: bytes) -> bool:
        return pair.partition(b"=")[0].strip(b" \t") == self._name

    def marked(self, head: RequestHead, response: ResponseHead, server: str, *, secure: bool) -> ResponseHead:
        """The response of a server to a client that came by TLS, or not. The response of 1xx is none but for 101."""
        reading = self.read(head.fields)
        mine = reading.server == server
        self.done = "N"
        if reading.server is not None and not mine:
            self.counts[MOVED] += 1
        if self.config.mode == "insert":
            return self._inserted(head, response, server, reading if mine else NOTHING, secure=secure)
        if not self._set_cookie.search(response.passing):
            return response
        token, self.done = self._make(server, reading if mine else NOTHING), "R"
        new = (lambda found: found[1] + token + b"~" + found[2]) if self.config.mode == "prefix" else None
        passing = self._set_cookie.sub(new or (lambda found: found[1] + token), response.passing)
        return response._replace(passing=passing)

    def _make(self, server: str, reading: Reading) -> bytes:
        self.counts[SET] += 1
        return self._tokens.make(server, self._clock(), reading.first_at)

    def _inserted(
        self, head: RequestHead, response: ResponseHead, server: str, reading: Reading, *, secure: bool
    ) -> ResponseHead:
        passing = response.passing
        if self._set_line.search(passing):
            self.done = "P" if self.config.preserve else "D"
            if self.config.preserve:
                return response
            passing = self._set_line.sub(b"", passing)
        known = reading.verdict is Verdict.ACCEPTED and not reading.due
        if not known and (head.method == b"POST" or not self.config.post_only):
            self.done = "U" if reading.verdict is Verdict.ACCEPTED else "I"
            lines = b"Set-Cookie: %b=%b%b\r\n" % (self._name, self._make(server, reading), self._attributes[secure])
            if self.config.nocache and not _PRIVATE.search(passing):
                lines += b"Cache-Control: private\r\n"
            passing = passing[:-2] + lines + b"\r\n"
        return response if passing is response.passing else response._replace(passing=passing)


def _attributes(config: CookieSettings, *, secure: bool) -> bytes:
    parts = [f"; Path={config.path}"]
    if config.domain is not None:
        parts.append(f"; Domain={config.domain}")
    if config.max_age_s is not None:
        parts.append(f"; Max-Age={int(config.max_age_s)}")
    if config.secure or (secure and config.secure is None) or config.same_site == "none":
        parts.append("; Secure")
    if config.http_only:
        parts.append("; HttpOnly")
    if config.same_site is not None:
        parts.append(f"; SameSite={config.same_site.capitalize()}")
    return "".join(parts).encode("ascii")


class CookieJars:
    """Those of a pool and of the pools that it falls back on, by pool."""

    __slots__ = ("_jars",)

    def __init__(self, jars: Mapping[str, CookieJar]) -> None:
        self._jars = dict(jars)

    def stripped(self, head: RequestHead) -> RequestHead:
        """What goes on of a request, to whichever of them."""
        passing = head.passing
        for jar in self._jars.values():
            passing = jar.stripped(head.fields, passing)
        return head if passing is head.passing else head._replace(passing=passing)

    def marked(
        self, head: RequestHead, response: ResponseHead, pool: str, server: str, *, secure: bool
    ) -> ResponseHead:
        """What goes on of the response of a pool's server."""
        jar = self._jars.get(pool)
        return response if jar is None else jar.marked(head, response, server, secure=secure)

    def done(self, pool: str) -> str:
        """What that was; empty where nothing is ever done."""
        jar = self._jars.get(pool)
        return "" if jar is None else jar.done
